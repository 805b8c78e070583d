"""This will choose among offers for a request. Pure."""

from collections.abc import Iterable

from berth.offers import Asked, Offer, OfferPage
from berth.problem import CannotReach
from protocol.hardware import Resources

HOUR_S = 3600
PPM = 1_000_000


def wanted(said: Asked, searched: OfferPage | None, *, of_gpus: bool) -> Asked:
    """Return how much to rent: of each what was said or what the search names, the greater.

    ``searched``: what the marketplace made of the search; None: there is none. ``of_gpus``: a kind
    of GPU was said. 1 GPU is meant where GPUs are and no number is named.
    """
    both = said.at_least(searched.asked) if searched else said
    if said.gpus_min == 0:
        # Whoever says --gpus 0 beside the name of a GPU means it.
        return both.model_copy(update={"gpus_min": 0})
    is_of_gpus = of_gpus or (searched is not None and searched.of_gpus)
    one = is_of_gpus and both.gpus_min is None
    return both.model_copy(update={"gpus_min": 1}) if one else both


def fits(offer: Offer, resources: Resources) -> bool:
    """Say whether the offer is rentable now and has room for the request."""
    return (
        offer.online
        and offer.verified
        and offer.cpus_free >= resources.cpu.count
        and offer.gpus_free >= resources.gpu.count
        and offer.ram_bytes_free >= resources.ram.capacity
        and offer.disk_bytes_free >= resources.hard_disk.capacity
    )


def price_hour(offer: Offer) -> int:
    """Return what the request that the offer was asked about costs an hour, in micro-USD.

    :raises CannotReach: when the marketplace named no price.
    """
    if offer.price_asked_hour_microusd is None:
        raise CannotReach("The marketplace named no price for this.", "unexpected_answer")
    return offer.price_asked_hour_microusd


def worst_total(price_hour_microusd: int, *, lease_s: int | None, cap_microusd: int | None) -> int:
    """Return the most that a rental with this end can cost; one of the two bounds it."""
    by_lease = None if lease_s is None else price_hour_microusd * lease_s // HOUR_S
    return min(bound for bound in (by_lease, cap_microusd) if bound is not None)


def reserved_hour(offer: Offer, *, days: int) -> int | None:
    """Return what an hour of the request costs when it is reserved; None: not for so short.

    The highest step that the term reaches counts, and the price is rounded up.
    """
    reached = [step.discount_ppm for step in offer.discounts if step.days <= days]
    if not reached:
        return None
    return -(-price_hour(offer) * (PPM - max(reached)) // PPM)


def reservable(offers: Iterable[Offer], *, days: int) -> list[Offer]:
    """Return those that take a reservation of so many days, cheapest first."""
    priced = [(reserved_hour(offer, days=days), offer.id, offer) for offer in offers]
    taking = [(price, name, offer) for price, name, offer in priced if price is not None]
    return [offer for _, _, offer in sorted(taking, key=lambda one: one[:2])]


def cheapest(offers: Iterable[Offer], resources: Resources) -> list[Offer]:
    """Return the offers that fit, cheapest first; equal prices by id, so the order is stable."""
    fitting = [offer for offer in offers if fits(offer, resources)]
    return sorted(fitting, key=lambda offer: (price_hour(offer), offer.id))
