"""This will start a running rental's container anew; its files stay."""

from datetime import datetime
from uuid import UUID

from marketplace.placements.actions.alter import alter
from marketplace.rentals import queries


def restart(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Ask for a restart: what runs inside ends and begins again, and its files stay.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotRunning: when it does not run.
    :raises RestartsMany: when its container was made anew too often within the hour.
    """
    rental = queries.find(rental_id, renter_id)
    alter(
        placement_id=rental.placement_id,
        now=now,
        by=lambda placement: {"restarts": placement.restarts + 1},
    )
