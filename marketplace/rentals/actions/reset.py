"""This will throw a running rental's files away and begin with its image again."""

from uuid import UUID

from marketplace.placements.actions.alter import alter
from marketplace.rentals import queries


def reset(*, rental_id: UUID, renter_id: int) -> None:
    """Ask for a reset: all files but those of volumes go; its ports and its end stay.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotRunning: when it does not run.
    """
    rental = queries.find(rental_id, renter_id)
    alter(
        placement_id=rental.placement_id,
        by=lambda placement: {"resets": placement.resets + 1},
    )
