"""This will end a rental's proof: by its validator's signed word, or because its time is over."""

import logging
from datetime import datetime

from django.db import transaction

from marketplace.domain.problem import Refused
from marketplace.domain.rental_proof import ProofState
from marketplace.rentals.models import ProofLine, RentalProof
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.rental_proof import SignedRentalProofReport

logger = logging.getLogger(__name__)

GIVEN_UP = "The prover in the rental did not go on."
LATE = "No validator brought it to an end in time; ask again."


class ReportUnsigned(Refused):
    code = "signature_invalid"
    status = 401
    sentence = "The report is not signed by the hotkey that leads this proof."


class ReportUnwanted(Refused):
    code = "proof_over"
    sentence = "There is no such proof of this machine, or it has ended."


def record(*, signed: SignedRentalProofReport, hotkey: str, now: datetime) -> RentalProof:
    """Return the proof as its validator's report ends it; its mailbox goes.

    :raises ReportUnsigned: when somebody else signed it, or sent it.
    :raises ReportUnwanted: when this validator leads no such proof now.
    """
    report = signed.report
    if report.validator_hotkey != hotkey or not hotkeys.verify(
        hotkey, canonical_bytes(report), signed.signature
    ):
        raise ReportUnsigned
    with transaction.atomic():
        ended = RentalProof.objects.filter(
            id=report.proof_id,
            state=ProofState.RUNNING,
            validator__hotkey=hotkey,
            validator__admitted=True,
            rental__placement__machine_id=report.machine_id,
            rental__placement__machine__machine_key=report.machine_key,
        ).update(
            state=ProofState(report.outcome.value),
            detail=report.detail,
            signed=signed.model_dump(mode="json"),
            ended_at=now,
        )
        if not ended:
            raise ReportUnwanted
        ProofLine.objects.filter(proof_id=report.proof_id).delete()
    logger.info(
        "Rental proof ended",
        extra={"proof_id": report.proof_id, "outcome": report.outcome.value},
    )
    return RentalProof.objects.get(id=report.proof_id)


def give_up(*, proof: RentalProof, now: datetime) -> None:
    """End a proof that its renter does not go on with; one that has ended is left as it is."""
    with transaction.atomic():
        RentalProof.objects.filter(id=proof.id, ended_at=None).update(
            state=ProofState.UNFINISHED, detail=GIVEN_UP, ended_at=now
        )
        ProofLine.objects.filter(proof=proof).delete()


def end_late(*, now: datetime) -> int:
    """Return how many proofs have ended because their time is over."""
    with transaction.atomic():
        late = RentalProof.objects.filter(ended_at=None, expires_at__lte=now)
        ids = list(late.order_by("id").values_list("id", flat=True))
        ended = RentalProof.objects.filter(id__in=ids, ended_at=None).update(
            state=ProofState.UNFINISHED, detail=LATE, ended_at=now
        )
        ProofLine.objects.filter(proof_id__in=ids).delete()
    return ended
