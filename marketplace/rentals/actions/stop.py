"""This will stop a rental and keep its files; nothing is charged until it is started again."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.placement import PlacementState
from marketplace.placements.actions import request_stop
from marketplace.rentals import queries
from marketplace.rentals.actions.extend import RentalOver


def stop(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for the rental to stop; asking twice changes nothing. Its lease runs on.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended.
    """
    rental = queries.find(rental_id, renter_id)
    placement = request_stop.request_stop(
        placement_id=rental.placement_id,
        reason_code="renter_stopped",
        reason="You stopped it.",
        now=now,
    )
    if placement.state not in (PlacementState.STOPPING, PlacementState.STOPPED):
        raise RentalOver
