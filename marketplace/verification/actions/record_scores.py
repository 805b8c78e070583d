"""This will keep what an admitted validator scored machines in an epoch."""

import logging
from datetime import datetime

from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from marketplace.verification.authenticate import ValidatorNotAdmitted
from marketplace.verification.epochs import epoch_at
from marketplace.verification.models import EpochScore, Validator
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import SignedScoreReport

logger = logging.getLogger(__name__)


class ScoresUnsigned(Refused):
    code = "signature_invalid"
    status = 401
    sentence = "The scores are not signed by the hotkey that they name."


class EpochWrong(Refused):
    code = "epoch_wrong"
    status = 409
    sentence = "Scores are taken for the present and the last epoch only."


def record_scores(*, signed: SignedScoreReport, now: datetime) -> int:
    """Return how many machines' scores were kept; a later report of the epoch replaces them.

    :raises ScoresUnsigned: when the signature is not the named hotkey's.
    :raises ValidatorNotAdmitted: when the hotkey's word does not count here.
    :raises EpochWrong: when the epoch is not the present or the last one.
    """
    report = signed.report
    if not hotkeys.verify(report.validator_hotkey, canonical_bytes(report), signed.signature):
        raise ScoresUnsigned
    validator = Validator.objects.filter(hotkey=report.validator_hotkey, admitted=True).first()
    if validator is None:
        raise ValidatorNotAdmitted
    present = epoch_at(now)
    if report.epoch not in (present, present - 1):
        raise EpochWrong
    scores = {score.machine_id: score for score in report.scores}
    known = Machine.objects.filter(id__in=scores).order_by("id").values_list("id", flat=True)
    rows = [
        EpochScore(
            validator=validator,
            machine_id=machine_id,
            epoch=report.epoch,
            miner_hotkey=scores[machine_id].miner_hotkey,
            points_micro=scores[machine_id].points_micro,
            factors_ppm=scores[machine_id].factors_ppm,
            signature=signed.signature,
            received_at=now,
        )
        for machine_id in known
    ]
    EpochScore.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["validator", "machine", "epoch"],
        update_fields=[
            "miner_hotkey",
            "points_micro",
            "factors_ppm",
            "signature",
            "received_at",
        ],
    )
    logger.info("Scores recorded", extra={"epoch": report.epoch, "machines": len(rows)})
    return len(rows)
