"""This will begin whatever costs a renter money by the second: hold, placement and meter, or none.

A product adds its own row to them, in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings

from marketplace.domain import pricing
from marketplace.domain.matching import Slice, check_fits, check_minimum
from marketplace.domain.money import MicroUsd
from marketplace.domain.problem import Refused
from marketplace.ledger.actions import hold as holds
from marketplace.metering.actions.open_meter import open_meter
from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.actions.place import place
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.workload import Workload

CPUS_MIN, MEMORY_BYTES_MIN, DISK_BYTES_MIN = 1, 64 << 20, 256 << 20


class RequestTooSmall(Refused):
    """Less than a container needs to start."""

    code = "invalid"
    status = 422
    sentence = "Ask for at least 1 CPU, 64 MiB of memory and 256 MiB of disk."


class IdempotencyConflict(Refused):
    """The key was used with another request."""

    code = "idempotency_conflict"
    status = 409
    sentence = "This idempotency key was used for a different request; use a new key."


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds it, as the renter wrote it. None: not given."""

    lease_s: int | None
    cap_microusd: int | None
    #: per hour, where the host takes bids
    bid_microusd: int | None
    #: the highest price of an hour that the renter agreed to
    price_hour_microusd_max: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the renter agrees to pay."""

    price_hour_microusd: MicroUsd
    worst_total_microusd: MicroUsd
    funded_until: datetime


def begin(
    *,
    renter_id: int,
    offer: Offer,
    workload: Workload,
    terms: Terms,
    keys: Sequence[str],
    cause: str,
    now: datetime,
    registry_login: RegistryLogin | None = None,
    proven_ms_max: int | None = None,
) -> Meter:
    """Return the meter of the new placement. Call it in a transaction that locked the machine.

    ``cause`` names the hold. ``proven_ms_max``: what is proven beyond it costs nothing. None: the
    funded time is the bound.
    :raises Refused: with its own code when anything is in the way.
    """
    hold = holds.place(
        user_id=renter_id, amount_microusd=terms.worst_total_microusd, cause=cause, now=now
    )
    placement = place(
        placement_id=uuid4(),
        machine_id=offer.machine_id,
        workload=workload,
        authorized_keys=keys,
        registry_login=registry_login,
        funded_until=terms.funded_until,
        now=now,
    )
    return open_meter(
        placement_id=placement.id,
        host_id=offer.machine.host_id,
        hold_id=hold.id,
        price_hour_microusd=terms.price_hour_microusd,
        fee_ppm=settings.FEE_PPM,
        proven_ms_max=proven_ms_max,
        now=now,
    )


def check_room(offer: Offer, resources: Resources) -> None:
    """Accept what a container needs and the machine has left.

    :raises RequestTooSmall: when no container starts with so little.
    :raises BelowMinimum: when the host rents out no slice that small.
    :raises ExceedsMachine: when the machine never has that much.
    :raises OfferTaken: when too little is left of it.
    """
    asked = Slice.of(resources)
    if (
        asked.cpus < CPUS_MIN
        or asked.memory_bytes < MEMORY_BYTES_MIN
        or asked.disk_bytes < DISK_BYTES_MIN
    ):
        raise RequestTooSmall
    check_minimum(asked, cpus_min=offer.cpus_min, gpus_min=offer.gpus_min)
    check_fits(asked, total=offer.machine.total, free=offer.machine.free)


def terms_of(offer: Offer, resources: Resources, limits: Limits, now: datetime) -> Terms:
    """Return what the slice of the offer costs within the limits.

    :raises Refused: when the price, the bid or the time is out of bounds.
    """
    price = _price_hour(offer, resources, limits.bid_microusd)
    pricing.check_price(price, at_most_microusd=limits.price_hour_microusd_max)
    term_ms = pricing.term_ms(
        price_hour_microusd=price,
        lease_s=limits.lease_s,
        cap_microusd=limits.cap_microusd,
        longest_term_s=offer.opening.longest_s(offer.longest_term_s, begins_at=now, now=now),
    )
    return Terms(
        price_hour_microusd=price,
        worst_total_microusd=pricing.worst_of_term(price, term_ms),
        funded_until=now + timedelta(milliseconds=term_ms),
    )


def _price_hour(offer: Offer, resources: Resources, bid_microusd: int | None) -> MicroUsd:
    price = pricing.price_hour(
        Slice.of(resources),
        total=offer.machine.total,
        price_unit_microusd=offer.price_unit_microusd,
    )
    if bid_microusd is None:
        return price
    if offer.bid_floor_microusd is None:
        raise pricing.BidsNotTaken
    floor = pricing.floor_hour(
        price_hour_microusd=price,
        price_unit_microusd=offer.price_unit_microusd,
        floor_unit_microusd=offer.bid_floor_microusd,
    )
    return pricing.check_bid(bid_microusd, price_hour_microusd=price, floor_hour_microusd=floor)
