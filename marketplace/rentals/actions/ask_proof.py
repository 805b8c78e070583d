"""This will ask for a proof inside a rental, and let one validator take it."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from marketplace.domain.placement import PlacementState
from marketplace.domain.problem import Refused
from marketplace.domain.rental_proof import AN_HOUR, LASTS, TAKEN_WITHIN, ProofState
from marketplace.rentals import queries
from marketplace.rentals.actions import end_proof
from marketplace.rentals.models import RentalProof
from marketplace.verification import relied_on

logger = logging.getLogger(__name__)

HOUR = timedelta(hours=1)


class NothingToProve(Refused):
    code = "not_active"
    sentence = "Only a rental that is active can be proven; wait until its SSH door answers."


class ProofRuns(Refused):
    code = "proof_running"
    sentence = "A proof of this rental is under way; wait for its end."


class ProofsTooMany(Refused):
    code = "proofs_too_many"
    status = 429
    sentence = f"A rental has at most {AN_HOUR} proofs an hour; come back later."

    def __init__(self, wait: timedelta) -> None:
        self.retry_after_s = max(1, -(-wait // timedelta(seconds=1)))
        super().__init__()


class ProofUntrusted(Refused):
    code = "stake_too_small"
    status = 403
    sentence = "Validators with less than half of the greatest stake lead no proofs of rentals."


class ProofTaken(Refused):
    code = "proof_taken"
    sentence = "Another validator leads this proof, or it has ended."


def ask(*, rental_id: UUID, renter_id: int, now: datetime) -> RentalProof:
    """Return the new proof, which waits for a validator.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NothingToProve: when nobody can log in to it now.
    :raises ProofRuns: when one is under way already.
    :raises ProofsTooMany: when there were enough of them lately.
    """
    rental = queries.find(rental_id, renter_id)
    placement = rental.placement
    if placement.state != PlacementState.RUNNING or placement.reachable_at is None:
        raise NothingToProve
    end_proof.end_late(now=now)
    lately = rental.proofs.filter(asked_at__gt=now - HOUR).order_by("-asked_at")
    asked = tuple(lately.values_list("asked_at", flat=True)[:AN_HOUR])
    if len(asked) == AN_HOUR:
        raise ProofsTooMany(asked[AN_HOUR - 1] + HOUR - now)
    try:
        with transaction.atomic():
            proof = RentalProof.objects.create(
                rental=rental, asked_at=now, expires_at=now + TAKEN_WITHIN
            )
    except IntegrityError:
        raise ProofRuns from None
    logger.info("Rental proof asked", extra={"rental_id": rental.id, "proof_id": proof.id})
    return proof


def take(*, proof_id: UUID, hotkey: str, now: datetime) -> None:
    """Let this validator lead the proof; the same one may say so twice.

    :raises ProofUntrusted: when this validator has too little stake: its word stands here alone.
    :raises ProofTaken: when it is not to be had any more.
    """
    validator = relied_on.validators(now).filter(hotkey=hotkey).first()
    if validator is None:
        raise ProofUntrusted
    open_ones = RentalProof.objects.filter(id=proof_id, expires_at__gt=now)
    taken = open_ones.filter(state=ProofState.ASKED).update(
        state=ProofState.RUNNING, validator=validator, expires_at=now + LASTS
    )
    if not taken and not open_ones.filter(state=ProofState.RUNNING, validator=validator).exists():
        raise ProofTaken
