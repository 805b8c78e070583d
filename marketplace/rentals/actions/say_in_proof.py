"""This will put lines into the mailbox of a rental's proof, each once and not too many."""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from marketplace.domain.problem import Refused
from marketplace.domain.rental_proof import CHARACTERS_MOST, ProofState
from marketplace.rentals.models import ProofLine, RentalProof
from protocol.rental_proof import LINES_MOST


class ProofOver(Refused):
    code = "proof_over"
    sentence = "This proof has ended."


class MailboxFull(Refused):
    code = "mailbox_full"
    status = 413
    sentence = "This proof's mailbox takes no more lines."


def say(
    *, proof: RentalProof, by_validator: bool, first: int, lines: Sequence[str], now: datetime
) -> None:
    """Put in what is new of these lines, of which the first has this number.

    :raises ProofOver: when nobody talks here any more.
    :raises MailboxFull: when they are too many or too long.
    """
    side = "sent_by_validator" if by_validator else "sent_by_renter"
    there = ProofLine.objects.filter(proof=proof, by_validator=by_validator).count()
    # A call whose answer was lost comes again; one that skips a line is somebody's mistake.
    new = lines[max(0, there - first) :]
    if first > there or there + len(new) > LINES_MOST:
        raise MailboxFull
    size = sum(map(len, new))
    talks = RentalProof.objects.filter(id=proof.id, ended_at=None, expires_at__gt=now).exclude(
        state=ProofState.ASKED if by_validator else ""
    )
    if not talks.exists():
        raise ProofOver
    try:
        with transaction.atomic():
            room = {f"{side}__lte": CHARACTERS_MOST - size}
            if not talks.filter(**room).update(**{side: F(side) + size}):
                raise MailboxFull
            ProofLine.objects.bulk_create(
                ProofLine(proof=proof, by_validator=by_validator, number=there + at, text=text)
                for at, text in enumerate(new)
            )
    except IntegrityError:
        # The same call twice at once: the other one has put them in.
        return
