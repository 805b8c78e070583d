"""This will end one rental in the name of staff; its renter reads why."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.console.staff import ReasonMissing, Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.placement import LIVE
from marketplace.domain.problem import Refused
from marketplace.domain.text import lines
from marketplace.placements.actions.request_end import request_end
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.models import Rental
from protocol.agent import Want

CODE = "staff_ended"


class NoSuchRental(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such rental."


class RentalOver(Refused):
    code = "rental_over"
    status = 409
    sentence = "This rental is over, or ends already."


def end_rental(*, by: Staff, rental_id: UUID, reason: str, now: datetime) -> None:
    """Ask for the end of the rental and of its files; nothing after this moment is charged.

    A reservation keeps its discount, as this is not its renter's doing. They are told by the pass
    that tells of every end.

    :raises NotYourRole: when they who ask may not.
    :raises NoSuchRental: when there is none.
    :raises OwnCase: when it is theirs, or runs on their machine.
    :raises RentalOver: when there is nothing left to end.
    :raises ReasonMissing: when no reason is given.
    """
    by.must(Right.BAN)
    words = " ".join(lines(reason).split())
    if not words:
        raise ReasonMissing
    if not Rental.objects.filter(id=rental_id).exists():
        raise NoSuchRental
    with transaction.atomic():
        rental = locked(rental_id)
        by.must_not_be(rental.renter_id, rental.meter.host_id)
        placement = rental.placement
        if placement.want == Want.END or placement.state not in LIVE:
            raise RentalOver
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
