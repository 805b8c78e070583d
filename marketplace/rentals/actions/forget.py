"""This will take an ended rental off its renter's list; its ledger rows stay."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.rentals import queries
from marketplace.rentals.models import Rental


class RentalLive(Refused):
    """The rental still runs, or its last charge is not posted yet."""

    code = "rental_live"
    status = 409
    sentence = "This rental has not ended; end it first."


def forget(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Hide an ended rental.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalLive: when it has not ended.
    """
    rental = queries.find(rental_id, renter_id)
    if rental.meter.closed_at is None:
        raise RentalLive
    Rental.objects.filter(id=rental.id).update(forgotten_at=now)
