"""This will change what a renter bids for an interruptible rental: at once, for what comes then."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.domain.pricing import PriceType
from marketplace.domain.problem import Refused
from marketplace.domain.terms import bid_hour
from marketplace.machines.actions import lock
from marketplace.placements.actions.rebid import rebid
from marketplace.rentals import bids, queries
from marketplace.rentals.actions.extend import check_goes_on
from marketplace.rentals.actions.reprice import reprice

REASON = "bid"
#: each change holds an auction and is a row of the meter's history for good
CHANGES = Limit("change the bid of a rental", 20, timedelta(minutes=5))


class NotInterruptible(Refused):
    """Its price is no bid."""

    code = "not_interruptible"
    status = 409
    sentence = "This rental does not bid: nobody outbids it, and its price stays as it is."


def bid(*, rental_id: UUID, renter_id: int, bid_microusd: int, now: datetime) -> None:
    """Let the rental bid so much for an hour; what it bids already changes nothing.

    Seconds from ``now`` on cost the new bid. It may take a notice back, start what was outbid, or
    be outbid itself. What it may cost in all is set aside at once.

    :raises RentalUnknown: when this renter has no such rental.
    :raises TooManyAttempts: when its bid was changed too often of late.
    :raises RentalOver: when it is ending or has ended, or its paid time is over.
    :raises NotInterruptible: when it does not bid.
    :raises BidsNotTaken: when its host takes no bids any more.
    :raises BidBelowFloor: when the host wants more by now.
    :raises CapPassed: when it could cost more than its dollar cap then.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    """
    machine_id = queries.find(rental_id, renter_id).placement.machine_id
    count(limit=CHANGES, subject=str(rental_id), now=now)
    with transaction.atomic():
        # Of two bids at once the later one holds, and both are in the meter's history.
        lock.lock(machine_id=machine_id)
        rental = queries.find(rental_id, renter_id)
        placement, offer = rental.placement, rental.offer
        if rental.price_type != PriceType.INTERRUPTIBLE:
            raise NotInterruptible
        check_goes_on(placement, now)
        on_demand = bids.on_demand_hour(offer, placement.rented)
        new = bid_hour(offer.tariff, on_demand, bid_microusd)
        if new == placement.bid_hour_microusd:
            return
        # The placements before the money, as everybody locks them.
        rebid(placement_id=placement.id, bid_hour_microusd=new, now=now)
        reprice(rental_id=rental_id, price_hour_microusd=new, at=now, reason=REASON, now=now)
