from datetime import datetime
from uuid import UUID

import pytest

from marketplace.machines.models import Machine
from marketplace.verification.actions.admit_validator import expel
from marketplace.verification.actions.record_scores import (
    EpochWrong,
    ScoresUnsigned,
    record_scores,
)
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import (
    EPOCH_S,
    REFERENCE_HASH_RATE_PER_CPU,
    Delivered,
    efficiency_ppm,
    epoch_at,
    epoch_record,
    epoch_times,
)
from marketplace.verification.models import EpochScore
from marketplace.verification.queries import newest_scores
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import MachineScore, ScoreReport, SignedScoreReport
from tests.marketplace.scene import NOW, Judge, after, hardware, machine

NOW_EPOCH = epoch_at(NOW)


def half_paid(machine_id: UUID, start: datetime, end: datetime) -> Delivered:
    return Delivered(paid_ms=int((end - start).total_seconds() * 500), fees_microusd=7)


def report(
    judge: Judge, machine_id: UUID, *, epoch: int = NOW_EPOCH, points: int = 5
) -> SignedScoreReport:
    score = MachineScore(
        machine_id=machine_id, miner_hotkey="", points_micro=points, factors_ppm={"uptime": 1}
    )
    told = ScoreReport(validator_hotkey=judge.keypair.ss58_address, epoch=epoch, scores=(score,))
    return SignedScoreReport(
        report=told, signature=hotkeys.sign(judge.keypair, canonical_bytes(told))
    )


def test_an_epoch_holds_the_moments_between_its_start_and_end() -> None:
    start, end = epoch_times(NOW_EPOCH)
    assert start <= NOW < end
    assert (end - start).total_seconds() == EPOCH_S
    assert epoch_at(end) == NOW_EPOCH + 1


def test_efficiency_is_a_moving_average_over_the_reference() -> None:
    reference = REFERENCE_HASH_RATE_PER_CPU
    assert efficiency_ppm([]) is None
    assert efficiency_ppm([reference]) == 1_000_000
    assert efficiency_ppm([reference, 2 * reference]) == 1_300_000


@pytest.mark.django_db
def test_the_record_holds_every_public_input_of_a_score() -> None:
    on, judge = machine(of=hardware(cpus=4)), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    told = epoch_record(after(60), delivered=half_paid)
    (one,) = told.machines
    assert told.epoch == NOW_EPOCH
    assert (one.machine_id, one.gpus, one.has_valid_verdict) == (on.id, 0, True)
    assert one.efficiency_ppm == 2_000_000 * 1_000_000 // REFERENCE_HASH_RATE_PER_CPU
    assert (one.verified_for_ms, one.fees_microusd) == (60_000, 7)
    assert abs(one.paid_ms * 2 - one.epoch_ms) <= 2


@pytest.mark.django_db
def test_a_later_report_of_the_epoch_replaces_the_earlier() -> None:
    on, judge = machine(), Judge().admitted()
    assert record_scores(signed=report(judge, on.id, points=5), now=NOW) == 1
    assert record_scores(signed=report(judge, on.id, points=6), now=NOW) == 1
    assert EpochScore.objects.get().points_micro == 6
    assert newest_scores(Machine.objects.all()) == {on.id: EpochScore.objects.get()}


@pytest.mark.django_db
def test_scores_of_unknown_machines_are_left_out() -> None:
    judge = Judge().admitted()
    unknown = UUID(int=1)
    assert record_scores(signed=report(judge, unknown), now=NOW) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("epoch", [NOW_EPOCH - 2, NOW_EPOCH + 1])
def test_scores_of_another_epoch_are_refused(epoch: int) -> None:
    on, judge = machine(), Judge().admitted()
    with pytest.raises(EpochWrong):
        record_scores(signed=report(judge, on.id, epoch=epoch), now=NOW)


@pytest.mark.django_db
def test_changed_scores_are_refused() -> None:
    on, judge = machine(), Judge().admitted()
    signed = report(judge, on.id)
    forged = signed.report.model_copy(update={"epoch": NOW_EPOCH - 1})
    with pytest.raises(ScoresUnsigned):
        record_scores(signed=signed.model_copy(update={"report": forged}), now=NOW)


@pytest.mark.django_db
def test_scores_of_an_expelled_validator_count_no_more() -> None:
    on, judge = machine(), Judge().admitted()
    record_scores(signed=report(judge, on.id, points=5), now=NOW)
    expel(hotkey=judge.keypair.ss58_address)
    assert newest_scores(Machine.objects.all()) == {}
