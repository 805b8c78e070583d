"""The score: its formula, and that cheating and splitting never pay."""

from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from protocol.message import canonical_bytes
from protocol.validator import MachineRecord, MachineScore, ScoreReport
from tests.validator.builders import ALICE, BOB, DAY_MS, EPOCH_MS, cpu_record, epoch, record
from validator.domain.gpu_table import GPU_MODELS
from validator.domain.scoring import score
from validator.domain.weights import share_by_hotkey

MODELS = [*(model.name for model in GPU_MODELS), "Unknown 9000", ""]

records = st.builds(
    record,
    st.integers(1, 2**32),
    miner_hotkey=st.sampled_from([ALICE, BOB, ""]),
    gpu_model=st.sampled_from(MODELS),
    gpus=st.integers(0, 14),
    efficiency_ppm=st.none() | st.integers(0, 3_000_000),
    uptime_ppm=st.integers(0, 1_000_000),
    verified_for_ms=st.integers(0, 10 * DAY_MS),
    has_valid_verdict=st.booleans(),
    paid_ms=st.integers(0, 8 * EPOCH_MS),
    epoch_ms=st.sampled_from([EPOCH_MS, 8 * EPOCH_MS]),
    fees_microusd=st.integers(0, 1_000_000),
)
epochs = st.lists(records, max_size=6, unique_by=lambda machine: machine.machine_id)


def points(*machines: MachineRecord) -> int:
    return sum(machine.points_micro for machine in score(epoch(*machines)))


def test_eight_of_the_best_card_idle_earn_fifty_points_at_the_idle_rate() -> None:
    assert points(record(gpu_model="NVIDIA B200")) == 50 * 700_000


def test_eight_of_the_best_card_sold_out_at_real_fees_earn_fifty_points() -> None:
    sold = record(gpu_model="NVIDIA B200", paid_ms=8 * EPOCH_MS, fees_microusd=10**9)
    assert points(sold) == 50_000_000


def test_a_machine_without_gpu_scores_a_little_on_its_first_day() -> None:
    first_day = cpu_record(verified_for_ms=0)
    assert 0 < points(first_day) < points(cpu_record())
    assert points(cpu_record()) * 100 < points(record(gpu_model="NVIDIA B200", gpus=1))


def test_no_valid_verdict_means_no_points_and_the_factors_say_why() -> None:
    (only,) = score(epoch(record(has_valid_verdict=False)))
    assert only.points_micro == 0
    assert only.factors_ppm["uptime"] == 0
    assert only.factors_ppm["capacity"] == 33_000_000


def test_renting_from_oneself_at_a_token_price_earns_a_token_share() -> None:
    token = record(paid_ms=8 * EPOCH_MS, fees_microusd=1)
    assert points(token) - points(record()) < points(record()) // 1000


def test_of_a_miners_machines_without_gpu_only_the_best_counts() -> None:
    best, other = cpu_record(2), cpu_record(1, uptime_ppm=500_000)
    assert [machine.points_micro for machine in score(epoch(other, best))] == [0, points(best)]
    assert points(cpu_record(1), cpu_record(2, miner_hotkey=BOB)) == 2 * points(cpu_record(1))


@given(records, st.integers(0, 500_000))
def test_more_uptime_never_pays_less(machine: MachineRecord, more: int) -> None:
    up = machine.model_copy(update={"uptime_ppm": min(machine.uptime_ppm + more, 1_000_000)})
    assert points(up) >= points(machine)


@given(records, st.integers(0, EPOCH_MS), st.integers(0, 1_000_000))
def test_more_delivered_work_never_pays_less(machine: MachineRecord, ms: int, fees: int) -> None:
    more = {"paid_ms": machine.paid_ms + ms, "fees_microusd": machine.fees_microusd + fees}
    assert points(machine.model_copy(update=more)) >= points(machine)


@given(records, st.integers(0, 1_000_000))
def test_a_faster_proof_never_pays_less(machine: MachineRecord, more: int) -> None:
    faster = {"efficiency_ppm": (machine.efficiency_ppm or 0) + more}
    slower = machine.model_copy(update={"efficiency_ppm": machine.efficiency_ppm or 0})
    assert points(slower.model_copy(update=faster)) >= points(slower)


@given(epochs, records)
def test_a_fake_machine_neither_raises_its_owner_nor_lowers_anyone(
    machines: list[MachineRecord], fake: MachineRecord
) -> None:
    fake = fake.model_copy(update={"has_valid_verdict": False})
    others = [machine for machine in machines if machine.machine_id != fake.machine_id]
    before = score(epoch(*others))
    after = [one for one in score(epoch(*others, fake)) if one.machine_id != fake.machine_id]
    assert after == list(before)
    assert share_by_hotkey(score(epoch(*others, fake))) == share_by_hotkey(before)


@given(records, st.integers(1, 7), st.data())
def test_splitting_a_machine_never_pays(
    machine: MachineRecord, gpus: int, data: st.DataObject
) -> None:
    """Up to the eight GPUs that NI's formula counts; a machine with more is really two."""
    whole = machine.model_copy(update={"gpus": min(max(machine.gpus, 2), 8)})
    gpus = min(gpus, whole.gpus - 1)
    whole = whole.model_copy(update={"epoch_ms": whole.gpus * EPOCH_MS})
    paid_ms = min(data.draw(st.integers(0, whole.paid_ms)), gpus * EPOCH_MS)
    rest_ms = min(whole.paid_ms - paid_ms, (whole.gpus - gpus) * EPOCH_MS)
    whole = whole.model_copy(update={"paid_ms": paid_ms + rest_ms})
    fees = data.draw(st.integers(0, whole.fees_microusd))
    first = {"gpus": gpus, "paid_ms": paid_ms, "fees_microusd": fees, "epoch_ms": gpus * EPOCH_MS}
    second = {
        "machine_id": record(2**40).machine_id,
        "gpus": whole.gpus - gpus,
        "paid_ms": rest_ms,
        "fees_microusd": whole.fees_microusd - fees,
        "epoch_ms": (whole.gpus - gpus) * EPOCH_MS,
    }
    parts = whole.model_copy(update=first), whole.model_copy(update=second)
    assert points(*parts) <= points(whole)


@given(records, st.integers(2, 6))
def test_splitting_a_machine_without_gpu_never_pays(machine: MachineRecord, parts: int) -> None:
    whole = machine.model_copy(update={"gpus": 0, "miner_hotkey": ALICE})
    split = [
        whole.model_copy(update={"machine_id": record(number).machine_id})
        for number in range(1, parts + 1)
    ]
    assert points(*split) <= points(whole)


@given(epochs, st.randoms(use_true_random=False))
def test_a_recomputation_from_the_stored_record_is_equal_to_the_bit(
    machines: list[MachineRecord], order: Random
) -> None:
    published = epoch(*machines)
    order.shuffle(machines)
    stored = type(published).model_validate_json(epoch(*machines).model_dump_json())
    assert _bytes(score(stored)) == _bytes(score(published))


def _bytes(scores: tuple[MachineScore, ...]) -> bytes:
    return canonical_bytes(ScoreReport(validator_hotkey=ALICE, epoch=7, scores=scores))


@given(epochs)
def test_points_are_the_product_of_the_published_factors(machines: list[MachineRecord]) -> None:
    for one in score(epoch(*machines)):
        product = Fraction(1)
        for name in ("capacity", "efficiency", "uptime", "use", "refusal"):
            product *= Fraction(one.factors_ppm[name], 1_000_000)
        assert one.points_micro == 0 or abs(one.points_micro - product * 1_000_000) <= 300
