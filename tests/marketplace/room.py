"""What the rules of a rental say of a machine's room, to hold what the database keeps to it."""

from dataclasses import replace

from marketplace.domain.matching import SMALLEST
from marketplace.offers.models import Offer


def has_room(offer: Offer) -> bool:
    """Say whether the least that somebody looks for there fits; of a machine with GPUs one."""
    machine = offer.machine
    least = replace(
        SMALLEST,
        cpus=max(SMALLEST.cpus, offer.cpus_min),
        gpus=max(offer.gpus_min, min(machine.gpus_total, 1)),
    )
    return not least.exceeds(machine.open)


def untrue() -> list[Offer]:
    """Return the offers that say otherwise than the rules."""
    offers = Offer.objects.select_related("machine").order_by("id")
    return [offer for offer in offers if offer.has_room is not has_room(offer)]
