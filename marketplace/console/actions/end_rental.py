"""This will end one rental in the name of staff; its renter reads why."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.placement import LIVE
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement
from marketplace.rentals.actions.extend import RentalOver
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.models import Rental
from marketplace.rentals.queries import RentalUnknown
from protocol.agent import Want

CODE = "staff_ended"


def may_end(placement: Placement) -> bool:
    """Say whether there is something left to end."""
    return placement.want != Want.END and placement.state in LIVE


def end_rental(*, by: Staff, rental_id: UUID, reason: str, now: datetime) -> None:
    """Ask for the end of the rental and of its files; nothing after this moment is charged.

    A reservation keeps its discount, as this is not its renter's doing. They are told by the pass
    that tells of every end.

    :raises NotYourRole: when they who ask may not.
    :raises RentalUnknown: when there is none.
    :raises OwnCase: when it is theirs, or runs on their machine.
    :raises RentalOver: when there is nothing left to end.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.INTERVENE)
    words = by.words(reason)
    if not Rental.objects.filter(id=rental_id).exists():
        raise RentalUnknown("There is no such rental.")
    with transaction.atomic():
        rental = locked(rental_id)
        by.must_not_be(rental.renter_id, rental.meter.host_id)
        placement = rental.placement
        if not may_end(placement):
            raise RentalOver("This rental is over, or ends already.")
        by.acted(
            ActKind.END_RENTAL,
            subject=f"rental {rental.id}",
            reason=words,
            person_id=rental.renter_id,
            before={"state": placement.state},
            now=now,
        )
        request_end(
            placement_id=placement.id,
            reason_code=CODE,
            reason=f"Staff of the site ended it: {words}",
            now=now,
        )
