"""This will find the offers that are tried for a request, the best first."""

from itertools import islice
from typing import Literal

from berth import choice
from berth.client import Client
from berth.offers import Offer, OfferFilter
from berth.problem import Refused
from protocol.hardware import Resources

#: offers that are tried when the ones before are taken meanwhile
OFFERS_TRIED_MAX = 10


def best_offers(
    client: Client,
    resources: Resources,
    gpu_model: str | None,
    *,
    reserved_days: int | None = None,
    search: str = "",
    sort: Literal["price", "value", "reliability", "start"] = "price",
) -> list[Offer]:
    """Return the offers to try, the best first. ``reserved_days``: of those that take so many.

    ``search``: what the machines fulfil too, as a template or a person says it.

    :raises Refused: ``no_offer`` when there is none.
    """
    wanted = OfferFilter(
        q=search or None,
        gpu_model=gpu_model,
        gpus_min=resources.gpu.count or None,
        cpus_min=resources.cpu.count,
        ram_bytes_min=resources.ram.capacity,
        disk_bytes_min=resources.hard_disk.capacity,
        verified=True,
        # Where all GPUs are rented, whoever asks for none may still have room.
        rented=not resources.gpu.count,
        sort=sort,
    )
    offers = client.offers(wanted)
    if sort == "price":
        found = choice.cheapest(offers, resources)
    else:
        fitting = (offer for offer in offers if choice.fits(offer, resources))
        found = list(islice(fitting, OFFERS_TRIED_MAX))
    if not found:
        raise Refused("no_offer", "No verified machine that is online has room for this now.")
    if reserved_days is not None:
        found = choice.reservable(found, days=reserved_days)
        if not found:
            sentence = f"No machine that has room for this takes {reserved_days} days; try more."
            raise Refused("no_offer", sentence)
    return found[:OFFERS_TRIED_MAX]
