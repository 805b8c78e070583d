"""This will keep what an admitted validator scored machines in an epoch."""

import hashlib
import logging
import zlib
from datetime import datetime, timedelta

from django.db import transaction

from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from marketplace.verification.authenticate import ValidatorNotAdmitted
from marketplace.verification.epochs import EPOCH_S, epoch_at
from marketplace.verification.models import ClosedEpoch, EpochScore, SignedReport, Validator
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import ScoreReport, SignedScoreReport

logger = logging.getLogger(__name__)
#: Different ones of one validator on one closed epoch, each of 2,000 machines: who signs ever other
#: ones would push those of the others off the list.
REPORTS_EACH = 20
#: from the closing of an epoch on
TAKEN_FOR = timedelta(seconds=2 * EPOCH_S)


class ScoresUnsigned(Refused):
    code = "signature_invalid"
    status = 401
    sentence = "The scores are not signed by the hotkey that they name."


class EpochWrong(Refused):
    code = "epoch_wrong"
    status = 409
    sentence = "Scores are taken for the present and the last epoch, and for one just closed, only."


class RecordDiffers(Refused):
    code = "record_differs"
    status = 409
    sentence = "The epoch is closed: score its record and name the record's SHA-256."


class ReportsTooMany(Refused):
    code = "reports_too_many"
    status = 409
    sentence = f"A validator signs at most {REPORTS_EACH} reports on one closed epoch."


def record_scores(*, signed: SignedScoreReport, now: datetime) -> int:
    """Return how many machines' scores were kept; a later report of the epoch replaces them.

    :raises ScoresUnsigned: when the signature is not the named hotkey's.
    :raises ValidatorNotAdmitted: when the hotkey's word does not count here.
    :raises EpochWrong: when the epoch is not the present, the last or one just closed.
    :raises RecordDiffers: when the epoch is closed and another record was scored, or the reverse.
    :raises ReportsTooMany: when the validator has signed that many others on the closed epoch.
    """
    report = signed.report
    if not hotkeys.verify(report.validator_hotkey, canonical_bytes(report), signed.signature):
        raise ScoresUnsigned
    validator = Validator.objects.filter(hotkey=report.validator_hotkey, admitted=True).first()
    if validator is None:
        raise ValidatorNotAdmitted
    closed = _closed(report, now)
    scores = {score.machine_id: score for score in report.scores}
    known = Machine.objects.filter(id__in=scores).order_by("id").values_list("id", flat=True)
    rows = [
        EpochScore(
            validator=validator,
            machine_id=machine_id,
            epoch=report.epoch,
            miner_hotkey=scores[machine_id].miner_hotkey,
            points_micro=scores[machine_id].points_micro,
            jobs_micro=scores[machine_id].jobs_micro,
            factors_ppm=scores[machine_id].factors_ppm,
            signature=signed.signature,
            received_at=now,
        )
        for machine_id in known
    ]
    with transaction.atomic():
        EpochScore.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["validator", "machine", "epoch"],
            update_fields=[
                "miner_hotkey",
                "points_micro",
                "jobs_micro",
                "factors_ppm",
                "signature",
                "received_at",
            ],
        )
        if closed is not None:
            _keep(signed, validator, closed, now)
    logger.info("Scores recorded", extra={"epoch": report.epoch, "machines": len(rows)})
    return len(rows)


def _closed(report: ScoreReport, now: datetime) -> ClosedEpoch | None:
    """Return the closed epoch that the report is about; None: it goes on."""
    present = epoch_at(now)
    closed = ClosedEpoch.objects.filter(epoch=report.epoch).defer("packed").first()
    if closed is None and report.epoch not in (present, present - 1):
        raise EpochWrong
    if closed is not None and now - closed.closed_at > TAKEN_FOR:
        raise EpochWrong
    if report.record_sha256 != ("" if closed is None else closed.sha256):
        raise RecordDiffers
    return closed


def _keep(
    signed: SignedScoreReport, validator: Validator, closed: ClosedEpoch, now: datetime
) -> None:
    of_it = SignedReport.objects.filter(closed_epoch=closed, validator=validator)
    digest = hashlib.sha256(canonical_bytes(signed.report)).hexdigest()
    _, is_new = of_it.get_or_create(
        closed_epoch=closed,
        validator=validator,
        report_sha256=digest,
        defaults={
            "packed": zlib.compress(canonical_bytes(signed)),
            "machines": len(signed.report.scores),
            "points_micro": sum(score.points_micro for score in signed.report.scores),
            "received_at": now,
        },
    )
    if is_new and of_it.count() > REPORTS_EACH:
        raise ReportsTooMany
    if not is_new:
        # It replaced the scores of a later one: whoever remembers sums must see that.
        of_it.filter(report_sha256=digest).update(received_at=now)
