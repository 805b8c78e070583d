"""This will let other SSH keys open a rental, while it runs too."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.actions.rekey import rekey
from marketplace.rentals import keys, queries
from marketplace.rentals.actions.extend import RentalOver


def set_keys(*, rental_id: UUID, renter_id: int, ssh_key_ids: Sequence[UUID] | None) -> None:
    """Let these of the renter's keys log in from now on, and no others; None: all of them.

    Who is logged in already stays so.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended.
    :raises SshKeyNotFound: when the renter has no such key.
    :raises SshKeyMissing: when there would be none.
    """
    rental = queries.find(rental_id, renter_id)
    try:
        rekey(
            placement_id=rental.placement_id,
            authorized_keys=keys.lines(renter_id, ssh_key_ids),
        )
    except PlacementEnding:
        raise RentalOver from None
