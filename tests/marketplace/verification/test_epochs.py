import hashlib
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
    Delivered,
    Doings,
    epoch_at,
    epoch_record,
    epoch_times,
)
from marketplace.verification.models import EpochScore
from marketplace.verification.queries import newest_scores
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import (
    CardFigures,
    CountedWord,
    GpuMeasurement,
    MachineScore,
    Measurement,
    ScoreReport,
    SignedScoreReport,
    VerdictState,
)
from tests.marketplace.scene import GIB, NOW, Judge, after, hardware, machine

NOW_EPOCH = epoch_at(NOW)


def ms(seconds: int) -> int:
    return int(after(seconds).timestamp()) * 1000


def measured_gpu(index: int, **changed: int) -> GpuMeasurement:
    figures = {"bandwidth_mb_s": 1_000_000, "int8_gops": 300_000, **changed}
    return GpuMeasurement(
        index=index,
        uuid=f"GPU-{index}",
        name="H100",
        vram_bytes=25 * GIB,
        vram_bytes_proven=24 * GIB,
        **figures,
    )


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


@pytest.mark.django_db
def test_the_record_holds_every_public_input_of_a_score() -> None:
    on, judge = machine(of=hardware(cpus=4)), Judge().admitted()
    signed = judge.verdict(on)
    record(signed=signed, now=NOW)
    done = Delivered(paid_ms=30_000, fees_microusd=7)
    doings = Doings(delivered={on.id: done}, refusals={on.id: (after(20),)})
    told = epoch_record(NOW_EPOCH, now=after(60), doings=doings)
    (one,) = told.machines
    assert (told.epoch, told.as_of_ms) == (NOW_EPOCH, ms(60))
    assert (one.machine_id, one.machine_key, one.gpus) == (on.id, on.machine_key, 0)
    assert (one.has_valid_verdict, one.is_unknown) == (True, False)
    assert (one.verified_for_ms, one.verified_until_ms) == (60_000, ms(3600))
    assert one.epoch_ms == told.as_of_ms - told.starts_at_ms
    assert (one.paid_ms, one.fees_microusd, one.refused_at_ms) == (30_000, 7, (ms(20),))
    (look,) = one.looks
    assert (look.hash_rate_per_cpu, look.card) == (2_000_000, None)
    named = hashlib.sha256(canonical_bytes(signed)).hexdigest()
    word = CountedWord(verdict_sha256=named, stake=1, state=VerdictState.VERIFIED)
    assert (one.words, one.first_verdict_sha256) == ((word,), named)
    assert look.verdict_sha256 == named


@pytest.mark.django_db
def test_of_several_gpus_the_record_holds_the_least_of_each_figure() -> None:
    on, judge = machine(), Judge().admitted()
    gpus = (measured_gpu(0, bandwidth_mb_s=900_000), measured_gpu(1, int8_gops=200_000))
    record(signed=judge.verdict(on, measurement=Measurement(gpus=gpus)), now=NOW)
    (one,) = epoch_record(NOW_EPOCH, now=after(1), doings=Doings()).machines
    (look,) = one.looks
    assert look.card == CardFigures(vram_bytes=24 * GIB, bandwidth_mb_s=900_000, int8_gops=200_000)


@pytest.mark.django_db
def test_a_measurement_older_than_the_newest_ten_enters_no_score() -> None:
    on, judge = machine(), Judge().admitted()
    for number in range(12):
        rate = Measurement(cpus=1, cpu_hash_rate=1000 + number)
        verdict = judge.verdict(on, measurement=rate, checked_at_ms=ms(number))
        record(signed=verdict, now=after(20))
    (one,) = epoch_record(NOW_EPOCH, now=after(60), doings=Doings()).machines
    assert [look.hash_rate_per_cpu for look in one.looks] == [*range(1002, 1012)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "seconds", "is_unknown"),
    [
        (VerdictState.VERIFIED, 3599, False),
        (VerdictState.VERIFIED, 3601, True),
        (VerdictState.VERIFIED, 3600 + 90_000, False),
        (VerdictState.SUSPENDED, 3601, False),
    ],
)
def test_a_machine_is_unknown_when_its_last_good_verdict_just_ended(
    state: VerdictState, seconds: int, is_unknown: bool
) -> None:
    on, judge = machine(), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    record(signed=judge.verdict(on, state=state, checked_at_ms=ms(1)), now=after(1))
    (one,) = epoch_record(epoch_at(after(seconds)), now=after(seconds), doings=Doings()).machines
    assert one.is_unknown is is_unknown
    assert one.verified_until_ms == ms(3600)


@pytest.mark.django_db
def test_a_machine_that_grew_since_it_was_looked_at_is_not_unknown() -> None:
    on, judge = machine(of=hardware(cpus=4)), Judge().admitted()
    record(signed=judge.verdict(on, hardware=hardware(cpus=4)), now=NOW)
    Machine.objects.update(hardware=hardware(cpus=8).model_dump(mode="json"))
    (one,) = epoch_record(NOW_EPOCH, now=after(3601), doings=Doings()).machines
    assert not one.is_unknown


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
