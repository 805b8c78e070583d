"""This will stop a rental; nothing after this moment is charged."""

from datetime import datetime
from uuid import UUID

from marketplace.placements.actions import request_stop
from marketplace.rentals import queries


def stop(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for the rental's end; asking twice changes nothing.

    :raises RentalUnknown: when this renter has no such rental.
    """
    rental = queries.find(rental_id, renter_id)
    request_stop.request_stop(
        placement_id=rental.placement_id,
        reason_code="renter_stopped",
        reason="You stopped it.",
        now=now,
    )
