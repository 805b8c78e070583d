"""What validators said two months ago goes, but for what a score still follows from."""

from datetime import timedelta

import bittensor_core
import pytest

from marketplace.machines.models import Machine
from marketplace.verification.actions import forget as forgetting
from marketplace.verification.actions.forget import KEPT, WORDS_KEPT, forget
from marketplace.verification.actions.record_scores import record_scores
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import EPOCH_S, epoch_times
from marketplace.verification.models import (
    ClosedEpoch,
    EpochScore,
    SignedReport,
    Validator,
    VerdictRecord,
)
from protocol.validator import GpuMeasurement, Measurement, VerdictState
from tests.marketplace.scene import NOW, Judge, after, hardware, machine
from tests.marketplace.verification.test_epochs import NOW_EPOCH, report

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
LATER = NOW + WORDS_KEPT + timedelta(hours=2)
CARD = GpuMeasurement(
    index=0,
    uuid="GPU-0",
    name="H100",
    vram_bytes=1,
    vram_bytes_proven=1,
    bandwidth_mb_s=1,
    int8_gops=1,
)


def words() -> list[int]:
    """Five words of one validator: bad, good, good with a proof of the GPU, good, good."""
    of, judge = hardware(gpus=1), Judge().admitted()
    on = machine(of=of)
    changes: list[dict[str, object]] = [{} for _ in range(5)]
    changes[0] = {"state": VerdictState.DEGRADED}
    changes[2] = {"measurement": Measurement(gpus=(CARD,))}
    for number, changed in enumerate(changes):
        told = judge.verdict(on, hardware=of, checked_at_ms=NOW_MS + number, **changed)
        record(signed=told, now=NOW)
    return left()


def left() -> list[int]:
    kept = VerdictRecord.objects.order_by("checked_at")
    return [round((one.checked_at - NOW).total_seconds() * 1000) for one in kept]


def test_the_first_good_word_the_proof_of_a_gpu_and_the_newest_word_stay() -> None:
    assert words() == [0, 1, 2, 3, 4]
    assert forget(now=LATER) == 2
    assert left() == [1, 2, 4]


def test_a_word_stays_for_two_months_after_it_ended() -> None:
    words()
    VerdictRecord.objects.update(expires_at=NOW)
    assert forget(now=NOW + WORDS_KEPT) == 0


def test_the_first_good_word_is_that_of_a_validator_that_counts() -> None:
    words()
    other = Judge(bittensor_core.Keypair.create_from_uri("//Other")).admitted()
    on = Machine.objects.get()
    record(signed=other.verdict(on, hardware=None, checked_at_ms=NOW_MS - 1), now=NOW)
    Validator.objects.filter(hotkey=other.keypair.ss58_address).update(admitted=False)
    forget(now=LATER)
    assert left() == [-1, 1, 2, 4]


def test_a_pass_takes_a_part_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "AT_ONCE", 1)
    words()
    assert [forget(now=LATER) for _ in range(3)] == [1, 1, 0]


def test_an_epoch_goes_with_its_scores_and_reports_and_no_later_one() -> None:
    on, judge = machine(), Judge().admitted()
    for number in (0, 1):
        epoch = NOW_EPOCH + number
        scores = report(judge, on.id, epoch=epoch)
        record_scores(signed=scores, now=after(EPOCH_S * number))
        closed = ClosedEpoch.objects.create(epoch=epoch, packed=b"", machines=1, closed_at=NOW)
        SignedReport.objects.create(
            validator=Validator.objects.get(),
            closed_epoch=closed,
            packed=b"",
            machines=1,
            points_micro=1,
            received_at=NOW,
        )
    _, end = epoch_times(NOW_EPOCH)
    assert forget(now=end + KEPT - timedelta(seconds=1)) == 0
    assert forget(now=end + KEPT) == 3
    for kept in (EpochScore, SignedReport, ClosedEpoch):
        assert kept.objects.count() == 1  # type: ignore[attr-defined]
