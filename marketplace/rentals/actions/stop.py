"""This will stop a rental and keep its files; nothing is charged until it is started again."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.funding import Funding
from marketplace.domain.placement import PlacementState
from marketplace.domain.pricing import PriceType
from marketplace.domain.reserved import ReservationStays
from marketplace.machines.actions import lock
from marketplace.placements.actions import request_stop
from marketplace.placements.models import Placement
from marketplace.rentals import queries
from marketplace.rentals.actions.extend import RentalOver
from marketplace.rentals.models import Rental

CODE, REASON = "renter_stopped", "You stopped it."


def stop(
    *,
    rental_id: UUID,
    renter_id: int,
    now: datetime,
    reason_code: str = CODE,
    reason: str = REASON,
) -> None:
    """Ask for the rental to stop; asking twice changes nothing. Its lease runs on.

    ``reason_code``, ``reason``: where it was not its renter who asked.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended.
    :raises ReservationStays: when it is reserved.
    """
    rental = queries.find(rental_id, renter_id)
    if rental.price_type == PriceType.RESERVED:
        raise ReservationStays
    with transaction.atomic():
        # An auction may start it again at this moment.
        lock.lock(machine_id=rental.placement.machine_id)
        placement = request_stop.request_stop(
            placement_id=rental.placement_id, reason_code=reason_code, reason=reason, now=now
        )
        if placement.state not in (PlacementState.STOPPING, PlacementState.STOPPED):
            raise RentalOver
        # Where its disk costs nothing its days are counted from now on (actions/renew.py).
        Rental.objects.filter(id=rental_id, funding=Funding.ROLLING).update(fund_due_at=now)
        # What was outbid already starts by itself no more.
        Placement.objects.filter(id=rental.placement_id, resume_due_at__isnull=False).update(
            resume_due_at=None, reason_code=reason_code, reason=reason
        )
