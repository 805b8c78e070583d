"""This will end a rental for good; nothing after this moment is charged."""

from datetime import datetime
from uuid import UUID

from marketplace.placements.actions import request_end
from marketplace.rentals import queries


def end(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for the rental's end, and with it that of its files; asking twice changes nothing.

    :raises RentalUnknown: when this renter has no such rental.
    """
    rental = queries.find(rental_id, renter_id)
    request_end.request_end(
        placement_id=rental.placement_id,
        reason_code="renter_ended",
        reason="You ended it.",
        now=now,
    )
