"""This will give a rental another name, or none."""

from uuid import UUID

from marketplace.rentals import names, queries
from marketplace.rentals.models import Rental


def rename(*, rental_id: UUID, renter_id: int, name: str) -> None:
    """Call the rental so from now on, whatever it does; empty: it has no name.

    :raises RentalUnknown: when this renter has no such rental.
    :raises TextRefused: when a character of the name cannot be seen.
    """
    told = names.cleaned(name)
    rows = Rental.objects.filter(id=rental_id, renter_id=renter_id, forgotten_at=None)
    if not rows.update(name=told):
        raise queries.RentalUnknown
