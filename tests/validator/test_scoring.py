"""The score: its formula, and that cheating and splitting never pay."""

from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.message import canonical_bytes
from protocol.validator import (
    CardFigures,
    GpuProof,
    MachineRecord,
    MachineScore,
    MeasuredLook,
    ProvenTogether,
    ScoreReport,
)
from tests.validator.builders import (
    ALICE,
    BOB,
    DAY_MS,
    EPOCH_MS,
    NOW_MS,
    cpu_record,
    epoch,
    gpu_proofs,
    look,
    record,
    together,
)
from validator.domain.gpu_specs import reference
from validator.domain.gpu_table import GPU_MODELS
from validator.domain.scoring import RULES, score
from validator.domain.weights import share_by_hotkey

MODELS = [*(model.name for model in GPU_MODELS), "Unknown 9000", ""]

looks = st.builds(
    look,
    st.integers(0, 9_000_000),
    of=st.none() | st.sampled_from([each for model in MODELS if (each := reference(model))]),
    ppm=st.integers(0, 3_000_000),
)
refusals = st.lists(st.integers(NOW_MS - 2 * DAY_MS, NOW_MS), max_size=5).map(tuple)
records = st.builds(
    record,
    st.integers(1, 2**32),
    miner_hotkey=st.sampled_from([ALICE, BOB, ""]),
    gpu_model=st.sampled_from(MODELS),
    gpus=st.integers(0, 14),
    gpu_proofs=st.builds(gpu_proofs, st.integers(0, 14)),
    looks=st.lists(looks, max_size=4).map(tuple),
    uptime_ppm=st.integers(0, 1_000_000),
    verified_for_ms=st.integers(0, 10 * DAY_MS),
    has_valid_verdict=st.booleans(),
    verified_until_ms=st.integers(NOW_MS - 2 * DAY_MS, NOW_MS + EPOCH_MS),
    is_unknown=st.booleans(),
    refused_at_ms=refusals,
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


@pytest.mark.parametrize(
    ("late_ms", "counts"), [(0, True), (1, False)], ids=["just_in_time", "overdue"]
)
def test_a_card_that_was_not_proven_for_too_long_is_as_if_it_were_not_there(
    late_ms: int, counts: bool
) -> None:
    """Though it is rented all the time and pays fees: that makes the others no more used."""
    oldest_ms = NOW_MS + EPOCH_MS - RULES.unproven_ms_max
    old = gpu_proofs(8, at_ms=oldest_ms - late_ms)[5:]
    paid = {"paid_ms": 5 * EPOCH_MS, "fees_microusd": 10**9}
    machine = record(gpu_proofs=(*gpu_proofs(5), *old), **paid)
    alone = record(gpus=5, paid_ms=2 * EPOCH_MS, epoch_ms=5 * EPOCH_MS, fees_microusd=10**9)
    assert (points(machine) == points(alone)) is not counts
    assert (points(machine) == points(record(**paid))) is counts


@pytest.mark.parametrize("proofs", [(), gpu_proofs(8, at_ms=0)])
def test_a_machine_of_which_no_card_was_proven_lately_has_no_points(
    proofs: tuple[GpuProof, ...],
) -> None:
    sold = record(gpu_proofs=proofs, paid_ms=8 * EPOCH_MS, fees_microusd=10**9)
    (only,) = score(epoch(sold))
    assert (only.points_micro, only.factors_ppm["capacity"]) == (0, 0)


EIGHT = [f"GPU-{number}" for number in range(8)]
PAIRS = tuple(
    together(*pair, sha256=f"{number:064x}")[0]
    for number, pair in enumerate(combinations(EIGHT, 2))
)


@pytest.mark.parametrize(
    ("proven", "counted"),
    [
        ((), 1),
        (together(*EIGHT), 8),
        (PAIRS, 8),
        (PAIRS[1:], 7),
        (together(*EIGHT[:5]), 5),
        ((*together(*EIGHT[:3]), *together(*EIGHT[3:], sha256="cd" * 32)), 5),
        (together("GPU-0", "GPU-8", "GPU-9"), 1),
        (together(*EIGHT, at_ms=NOW_MS + EPOCH_MS - RULES.together_ms_max), 8),
        (together(*EIGHT, at_ms=NOW_MS + EPOCH_MS - RULES.together_ms_max - 1), 1),
    ],
    ids=[
        "each_alone",
        "at_once",
        "two_by_two",
        "two_never_at_once",
        "five",
        "two_groups",
        "others_gone_since",
        "a_month_ago",
        "longer_ago",
    ],
)
def test_cards_count_that_were_proven_at_once_with_each_other(
    proven: tuple[ProvenTogether, ...], counted: int
) -> None:
    assert points(record(together=proven)) * 8 == points(record()) * counted


@given(records, st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.integers(0, 8))
def test_further_names_each_proven_alone_never_pay(
    machine: MachineRecord, cards: int, known: int, names: int, rented: int
) -> None:
    """Each is proven while its owner rents the others: they may all be one card."""
    proofs = gpu_proofs(cards + names)
    machine = machine.model_copy(
        update={
            "gpus": cards,
            "gpu_proofs": proofs[:cards],
            "together": together(*EIGHT[: min(known, cards)]),
            "epoch_ms": cards * EPOCH_MS,
        }
    )
    more = {
        "gpus": cards + names,
        "gpu_proofs": proofs,
        "epoch_ms": (cards + names) * EPOCH_MS,
        "paid_ms": machine.paid_ms + min(rented, names) * EPOCH_MS,
    }
    assert points(machine.model_copy(update=more)) <= points(machine)


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


@given(records, st.integers(0, 9), st.integers(0, 1_000_000))
def test_a_faster_proof_never_pays_less(machine: MachineRecord, which: int, more: int) -> None:
    """Whichever of the looks was faster, and in whichever figures."""
    looks = [
        look.model_copy(update=_faster(look, more)) if number == which else look
        for number, look in enumerate(machine.looks)
    ]
    assert points(machine.model_copy(update={"looks": tuple(looks)})) >= points(machine)


def _faster(look: MeasuredLook, more: int) -> dict[str, object]:
    rate = look.hash_rate_per_cpu and look.hash_rate_per_cpu + more
    card = look.card and CardFigures(
        vram_bytes=look.card.vram_bytes + more * 1000,
        bandwidth_mb_s=look.card.bandwidth_mb_s + more,
        int8_gops=look.card.int8_gops + more,
    )
    return {"hash_rate_per_cpu": rate, "card": card}


@given(epochs, records)
def test_a_fake_machine_neither_raises_its_owner_nor_lowers_anyone(
    machines: list[MachineRecord], fake: MachineRecord
) -> None:
    fake = fake.model_copy(update={"has_valid_verdict": False, "is_unknown": False})
    others = [machine for machine in machines if machine.machine_id != fake.machine_id]
    before = score(epoch(*others))
    after = [one for one in score(epoch(*others, fake)) if one.machine_id != fake.machine_id]
    assert after == list(before)
    assert share_by_hotkey(score(epoch(*others, fake))) == share_by_hotkey(before)


@given(records, st.integers(1, 7), st.data())
def test_splitting_a_machine_never_pays(
    machine: MachineRecord, gpus: int, data: st.DataObject
) -> None:
    """Up to the eight GPUs that NI's formula counts; a machine with more is really two.

    All are proven, and each part refuses what the whole did: a refusal lowers the machine that
    refused.
    """
    whole = machine.model_copy(update={"gpus": min(max(machine.gpus, 2), 8)})
    gpus = min(gpus, whole.gpus - 1)
    proofs = gpu_proofs(whole.gpus)
    proven = {"gpu_proofs": proofs, "together": together(*(one.uuid for one in proofs))}
    whole = whole.model_copy(update={"epoch_ms": whole.gpus * EPOCH_MS, **proven})
    paid_ms = min(data.draw(st.integers(0, whole.paid_ms)), gpus * EPOCH_MS)
    rest_ms = min(whole.paid_ms - paid_ms, (whole.gpus - gpus) * EPOCH_MS)
    whole = whole.model_copy(update={"paid_ms": paid_ms + rest_ms})
    fees = data.draw(st.integers(0, whole.fees_microusd))
    first = {
        "gpus": gpus,
        "gpu_proofs": proofs[:gpus],
        "paid_ms": paid_ms,
        "fees_microusd": fees,
        "epoch_ms": gpus * EPOCH_MS,
    }
    second = {
        "machine_id": record(2**40).machine_id,
        "gpus": whole.gpus - gpus,
        "gpu_proofs": proofs[gpus:],
        "paid_ms": rest_ms,
        "fees_microusd": whole.fees_microusd - fees,
        "epoch_ms": (whole.gpus - gpus) * EPOCH_MS,
    }
    parts = whole.model_copy(update=first), whole.model_copy(update=second)
    assert points(*parts) <= points(whole)
    rival = record(2**41, miner_hotkey=BOB)
    assert share(*parts, rival) <= share(whole, rival)


@given(records, st.integers(2, 6))
def test_splitting_a_machine_without_gpu_never_pays(machine: MachineRecord, parts: int) -> None:
    whole = machine.model_copy(update={"gpus": 0, "miner_hotkey": ALICE})
    split = [
        whole.model_copy(update={"machine_id": record(number).machine_id})
        for number in range(1, parts + 1)
    ]
    assert points(*split) <= points(whole)


def share(*machines: MachineRecord) -> Fraction:
    return share_by_hotkey(score(epoch(*machines))).get(ALICE, Fraction(0))


@settings(max_examples=40)
@given(epochs, records, st.integers(0, 500_000))
def test_what_pays_no_less_in_points_pays_no_less_in_weight(
    machines: list[MachineRecord], machine: MachineRecord, more: int
) -> None:
    """Weight is a share of all points: of miners' own doings it follows their own points."""
    rest = [one for one in machines if one.machine_id != machine.machine_id]
    machine = machine.model_copy(update={"miner_hotkey": ALICE})
    better = {
        "uptime_ppm": min(machine.uptime_ppm + more, 1_000_000),
        "paid_ms": machine.paid_ms + more,
        "fees_microusd": machine.fees_microusd + more,
        "refused_at_ms": machine.refused_at_ms[1:],
    }
    assert share(*rest, machine.model_copy(update=better)) >= share(*rest, machine)


@settings(max_examples=40)
@given(epochs, records)
def test_a_miner_that_scores_raises_nobody_elses_points_and_lowers_only_their_shares(
    machines: list[MachineRecord], newcomer: MachineRecord
) -> None:
    """Shares sum to one, so a true machine does lower the others' shares; a fake one does not."""
    others = [one for one in machines if one.machine_id != newcomer.machine_id]
    newcomer = newcomer.model_copy(update={"miner_hotkey": BOB})
    alices = [one for one in others if one.miner_hotkey == ALICE]
    assert points(*alices) == sum(
        one.points_micro for one in score(epoch(*others, newcomer)) if one.miner_hotkey == ALICE
    )
    assert share(*others, newcomer) <= share(*others)


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
