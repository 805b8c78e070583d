"""What a validator is told of a machine's GPUs: who holds them, and when each was proven."""

from datetime import timedelta

import pytest

from marketplace.machines.actions.describe import describe
from marketplace.machines.models import Gpu
from marketplace.placements import queries as placements
from marketplace.verification import queries
from marketplace.verification.actions.forget import KEPT as SCORES_KEPT
from marketplace.verification.actions.forget import WORDS_KEPT
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import Doings, epoch_at, epoch_record
from marketplace.verification.evidence import digest
from marketplace.verification.proven_together import KEPT, RENEWED
from marketplace.verification.published import signed_verdicts
from protocol.hardware import Gpu as Unit
from protocol.hardware import Hardware, Sharing
from protocol.validator import GpuMeasurement, GpuProof, Measurement, ProvenTogether, VerdictState
from tests.marketplace.scene import NOW, Judge, hardware, machine, placement
from validator.domain.scoring import RULES

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 86_400_000


def measured(*uuids: str) -> Measurement:
    gpus = [
        GpuMeasurement(
            index=index,
            uuid=uuid,
            name="H100",
            vram_bytes=1,
            vram_bytes_proven=1,
            bandwidth_mb_s=1,
            int8_gops=1,
        )
        for index, uuid in enumerate(uuids)
    ]
    return Measurement(gpus=tuple(gpus))


def proven_at_ms(of: Hardware, measurement: Measurement, **changed: object) -> dict[str, int]:
    on, judge = machine(of=of), Judge().admitted()
    told = judge.verdict(on, hardware=of, measurement=measurement, **changed)
    record(signed=told, now=NOW)
    (target,) = queries.targets(NOW)
    return target.gpus_proven_at_ms


def test_a_target_names_the_gpus_that_renters_hold() -> None:
    on = machine(of=hardware(gpus=2))
    placement(on, gpus=1)
    (target,) = queries.targets(NOW, gpus_rented=placements.leased_gpus())
    assert target.gpus_rented == ("GPU-0",)
    assert placements.leased_gpus([on.id]) == {on.id: ["GPU-0"]}


def test_only_a_measured_gpu_was_proven() -> None:
    assert proven_at_ms(hardware(gpus=2), measured("GPU-1")) == {"GPU-1": NOW_MS}


def test_the_record_of_an_epoch_names_the_verdict_that_proved_a_gpu_last() -> None:
    of, judge = hardware(gpus=2), Judge().admitted()
    on = machine(of=of)
    looks = [
        judge.verdict(on, hardware=of, measurement=measured(*uuids), checked_at_ms=NOW_MS + later)
        for later, uuids in enumerate([("GPU-0", "GPU-1"), ("GPU-1",)])
    ]
    for signed in reversed(looks):
        record(signed=signed, now=NOW)
    (one,) = epoch_record(epoch_at(NOW), now=NOW, doings=Doings()).machines
    assert one.gpu_proofs == tuple(
        GpuProof(uuid=uuid, verdict_sha256=digest(signed), checked_at_ms=at_ms)
        for uuid, signed, at_ms in [("GPU-0", looks[0], NOW_MS), ("GPU-1", looks[1], NOW_MS + 1)]
    )
    assert one.together == (
        ProvenTogether(
            verdict_sha256=digest(looks[0]), checked_at_ms=NOW_MS, uuids=("GPU-0", "GPU-1")
        ),
    )
    assert set(looks) <= set(signed_verdicts(one))


def test_a_gpu_of_a_machine_that_is_not_verified_was_not_proven() -> None:
    bad = {"state": VerdictState.DEGRADED}
    assert proven_at_ms(hardware(gpus=1), measured("GPU-0"), **bad) == {}


def together_after(cards: int, *looks: tuple[int, str]) -> list[tuple[int, str]]:
    """Return which cards were proven at once on which day, after looks at cards on days."""
    of, judge, last = hardware(gpus=cards), Judge().admitted(), 0
    on = machine(of=of)
    for last, seen in looks:
        at_ms = NOW_MS + last * DAY_MS
        told = judge.verdict(
            on,
            hardware=of,
            measurement=measured(*(f"GPU-{number}" for number in seen)),
            checked_at_ms=at_ms,
            expires_at_ms=at_ms + 1,
        )
        record(signed=told, now=NOW + timedelta(days=last))
    now = NOW + timedelta(days=last)
    (one,) = epoch_record(epoch_at(now), now=now, doings=Doings()).machines
    return [
        ((each.checked_at_ms - NOW_MS) // DAY_MS, "".join(uuid[-1] for uuid in each.uuids))
        for each in one.together
    ]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([], [(0, "012")]),
        ([(1, "0")], [(0, "012")]),
        ([(1, "01")], [(0, "012")]),
        ([(1, "012")], [(1, "012")]),
        ([(27, "01")], [(0, "012")]),
        ([(28, "01")], [(0, "012"), (28, "01")]),
        ([(28, "01"), (29, "12"), (30, "0")], [(29, "12"), (28, "01"), (0, "02")]),
        ([(28, "01"), (29, "12"), (31, "0")], [(29, "12"), (28, "01")]),
    ],
)
def test_which_cards_were_proven_at_once_is_kept_for_a_month(
    later: list[tuple[int, str]], expected: list[tuple[int, str]]
) -> None:
    assert together_after(3, (0, "012"), *later) == expected


def test_names_that_are_proven_one_by_one_were_never_proven_at_once() -> None:
    assert together_after(2, (0, "0"), (1, "1"), (2, "0")) == []


def test_what_scores_follow_from_is_noted_and_renewed_in_time() -> None:
    kept_ms, proven_ms = RULES.together_ms_max, RULES.unproven_ms_max
    assert timedelta(milliseconds=kept_ms) <= KEPT <= WORDS_KEPT - SCORES_KEPT
    assert timedelta(milliseconds=kept_ms - proven_ms) >= RENEWED


def test_parts_of_a_card_were_proven_with_it() -> None:
    parts = tuple(
        Unit(
            uuid=f"GPU-7/{number}",
            model="H100 1/2 shared",
            vram_bytes=40,
            driver="550",
            sharing=Sharing.MPS,
            card="GPU-7",
        )
        for number in range(2)
    )
    shared = hardware().model_copy(update={"gpus": parts})
    assert proven_at_ms(shared, measured("GPU-7")) == {"GPU-7/0": NOW_MS, "GPU-7/1": NOW_MS}
    assert list(Gpu.objects.values_list("together", flat=True)) == [{}, {}]


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"driver": "560.1"}, True),
        ({"vram_bytes": 1}, True),
        ({"model": "NVIDIA H200"}, False),
        ({"vram_bytes": 1 << 40}, False),
    ],
)
def test_a_proof_holds_for_no_better_card_than_was_proven(
    changes: dict[str, object], holds: bool
) -> None:
    """Else a host would prove a card, rent it from itself, and list it as a dearer one."""
    of, judge = hardware(gpus=2), Judge().admitted()
    on = machine(of=of)
    record(signed=judge.verdict(on, hardware=of, measurement=measured("GPU-0", "GPU-1")), now=NOW)
    card = of.gpus[0].model_copy(update=changes)
    of = of.model_copy(update={"gpus": (card, of.gpus[1])})
    describe(machine_id=on.id, hardware=of)
    (target,) = queries.targets(NOW)
    assert ("GPU-0" in target.gpus_proven_at_ms) is holds
    alone = {"measurement": measured("GPU-0"), "checked_at_ms": NOW_MS + 1}
    record(signed=judge.verdict(on, hardware=of, **alone), now=NOW)
    (one,) = epoch_record(epoch_at(NOW), now=NOW, doings=Doings()).machines
    assert (len(one.gpu_proofs), len(one.together)) == (2, 1 if holds else 0)
