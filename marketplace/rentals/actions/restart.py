"""This will start a running rental's container anew; its files stay."""

from uuid import UUID

from marketplace.placements.actions.alter import alter
from marketplace.rentals import queries


def restart(*, rental_id: UUID, renter_id: int) -> None:
    """Ask for a restart: what runs inside ends and begins again, and its files stay.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotRunning: when it does not run.
    """
    rental = queries.find(rental_id, renter_id)
    alter(
        placement_id=rental.placement_id,
        by=lambda placement: {"restarts": placement.restarts + 1},
    )
