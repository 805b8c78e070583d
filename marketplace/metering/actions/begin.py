"""This will begin whatever costs a renter money by the second: hold, placement and meter, or none.

A product adds its own row to them, in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings

from marketplace.accounts.teams import shares_a_team
from marketplace.domain.matching import SMALLEST, Slice, check_fits, check_minimum
from marketplace.domain.problem import Refused
from marketplace.domain.terms import Limits, Terms, agree
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold as holds
from marketplace.ledger.models import Hold
from marketplace.metering.actions.open_meter import open_meter
from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.actions.place import place
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.workload import Workload


class RequestTooSmall(Refused):
    """Less than a container needs to start."""

    code = "too_small"
    status = 422
    sentence = "Ask for at least 1 CPU, 64 MiB of memory and 256 MiB of disk."


class CreditForOthers(holds.InsufficientFunds):
    """Who rents their own machine would turn credit into earnings, which are paid out."""

    sentence = "Credit does not pay for your own machine; add money to rent it."


class IdempotencyConflict(Refused):
    """The key was used with another request."""

    code = "idempotency_conflict"
    status = 409
    sentence = "This idempotency key was used for a different request; use a new key."


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

    ``cause`` names the hold. ``proven_ms_max``: what is proven beyond it costs nothing. None: what
    the terms set aside is the bound.
    :raises Refused: with its own code when anything is in the way.
    """
    hold = _hold(renter_id, offer, terms, cause, now)
    placement = place(
        placement_id=uuid4(),
        machine_id=offer.machine_id,
        workload=workload,
        authorized_keys=keys,
        registry_login=registry_login,
        funded_until=now + timedelta(milliseconds=terms.term_ms),
        bid_hour_microusd=terms.price_hour_microusd if terms.interruptible else None,
        paid_until=_after(terms.paid_ms, now),
        now=now,
    )
    return open_meter(
        placement_id=placement.id,
        host_id=offer.machine.host_id,
        hold_id=hold.id,
        price_hour_microusd=terms.price_hour_microusd,
        fee_ppm=settings.FEE_PPM,
        proven_ms_max=terms.paid_ms if proven_ms_max is None else proven_ms_max,
        now=now,
    )


def _after(paid_ms: int | None, now: datetime) -> datetime | None:
    return None if paid_ms is None else now + timedelta(milliseconds=paid_ms)


def _hold(renter_id: int, offer: Offer, terms: Terms, cause: str, now: datetime) -> Hold:
    host_id = offer.machine.host_id
    is_own = host_id == renter_id or shares_a_team(host_id, [renter_id])
    try:
        return holds.place(
            user_id=renter_id,
            amount_microusd=terms.held_microusd,
            cause=cause,
            takes_credit=not is_own,
            now=now,
        )
    except holds.InsufficientFunds:
        if is_own and ledger.credit(renter_id, now=now):
            raise CreditForOthers from None
        raise


def check_room(offer: Offer, resources: Resources) -> None:
    """Accept what a container needs and the machine has left.

    :raises RequestTooSmall: when no container starts with so little.
    :raises BelowMinimum: when the host rents out no slice that small.
    :raises ExceedsMachine: when the machine never has that much.
    :raises OfferTaken: when too little is left of it.
    """
    asked = Slice.of(resources)
    if SMALLEST.exceeds(asked):
        raise RequestTooSmall
    check_minimum(asked, cpus_min=offer.cpus_min, gpus_min=offer.gpus_min)
    check_fits(asked, total=offer.machine.total, free=offer.machine.open)


def terms_of(offer: Offer, resources: Resources, limits: Limits, now: datetime) -> Terms:
    """Return what the slice of the offer costs within the limits.

    :raises Refused: when the price, the bid, the time or the traffic is out of bounds.
    """
    longest_s = offer.opening.longest_s(offer.longest_term_s, begins_at=now, now=now)
    return agree(
        offer.tariff,
        Slice.of(resources),
        limits,
        total=offer.machine.total,
        longest_term_s=longest_s,
    )
