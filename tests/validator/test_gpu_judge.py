"""What a host is told of each GPU after a look, and which are asked for a proof at all."""

import pytest

from protocol.hardware import Gpu, Hardware, Sharing
from protocol.validator import GpuMeasurement, Measurement, VerdictState
from tests.validator.builders import ALICE, GIB, NOW_MS, gpu, hardware, target
from validator.domain.checks.sources import CudaDevice
from validator.domain.gpu_judge import provable, proven_before
from validator.domain.verdict import RULES, Look, Outcome, decide

H100_BYTES = 85_520_809_984
GOOD = GpuMeasurement(
    index=0,
    uuid="GPU-1",
    name="NVIDIA H100 80GB HBM3",
    vram_bytes=H100_BYTES,
    vram_bytes_proven=H100_BYTES * 93 // 100,
    bandwidth_mb_s=2_800_000,
    int8_gops=800_000,
)
CPU = {"cpus": 2, "cpu_hash_rate": 4_000_000, "memory_step_rate": 900_000}


def of(*gpus: Gpu) -> Hardware:
    return hardware(gpus=gpus)


def part(number: int, *, sharing: Sharing = Sharing.MPS, slots: int = 2) -> Gpu:
    uuid = f"GPU-1/{number}" if sharing is Sharing.MPS else f"MIG-{number}"
    model = f"NVIDIA H100 80GB HBM3 1/{slots} shared"
    half = H100_BYTES // slots
    return gpu(1, uuid=uuid, model=model, vram_bytes=half, sharing=sharing, card="GPU-1")


def cuda(*uuids: str) -> tuple[CudaDevice, ...]:
    return tuple(
        CudaDevice(index, uuid, GOOD.name, f"0000:{index:02x}:00.0", "9.0", 132, 5120, H100_BYTES)
        for index, uuid in enumerate(uuids)
    )


def judged(
    found: Hardware,
    *measured: GpuMeasurement,
    shown: tuple[str, ...] = (),
    failures: dict[str, str] | None = None,
    **of_target: object,
) -> tuple[VerdictState, tuple[str, ...]]:
    look = Look(
        Outcome.SEEN,
        hardware=found,
        measurement=Measurement(**CPU, gpus=measured),
        cuda=cuda(*shown) or None,
        gpu_failures=failures or {},
    )
    asked = target(claimed=found, **of_target)
    verdict = decide(hotkey=ALICE, target=asked, look=look, now_ms=NOW_MS)
    for reason in verdict.reasons:
        assert reason.message.startswith("GPU ")
        assert reason.message.endswith(".")
    return verdict.state, tuple(reason.code for reason in verdict.reasons)


def test_a_card_that_does_what_its_model_does_is_verified() -> None:
    assert judged(of(gpu(1)), GOOD, shown=("GPU-1",)) == (VerdictState.VERIFIED, ())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bandwidth_mb_s": 2_344_000}, "gpu_bandwidth_low"),
        ({"int8_gops": 613_000}, "gpu_slow"),
        ({"vram_bytes_proven": H100_BYTES * 89 // 100}, "gpu_memory_missing"),
        ({"vram_bytes": 40 * GIB, "vram_bytes_proven": 40 * GIB}, "gpu_memory_missing"),
    ],
)
def test_each_figure_below_its_model_is_named(change: dict[str, int], code: str) -> None:
    weak = GOOD.model_copy(update=change)
    assert judged(of(gpu(1)), weak, shown=("GPU-1",)) == (VerdictState.DEGRADED, (code,))


def test_what_a_model_must_reach_is_enough() -> None:
    least = {"bandwidth_mb_s": 2_345_000, "int8_gops": 613_490}
    enough = GOOD.model_copy(update=least)
    assert judged(of(gpu(1)), enough, shown=("GPU-1",))[0] is VerdictState.VERIFIED


def test_a_listed_card_that_cuda_does_not_show_is_missing() -> None:
    two = of(gpu(1), gpu(2))
    # Two sources that contradict each other are told of by the checks; here the card alone.
    state, codes = judged(two, GOOD, shown=("GPU-1", "GPU-3"))
    assert (state, codes) == (VerdictState.DEGRADED, ("gpu_missing",))


def test_without_cuda_in_the_proof_no_card_is_proven() -> None:
    assert judged(of(gpu(1), gpu(2))) == (VerdictState.DEGRADED, ("gpu_unproven",))


def test_a_card_that_failed_is_told_of_with_its_own_words() -> None:
    failed = judged(of(gpu(1)), shown=("GPU-1",), failures={"GPU-1": "CUDA error 719"})
    assert failed == (VerdictState.DEGRADED, ("gpu_unproven",))


@pytest.mark.parametrize(
    ("proven_at_ms", "expected"),
    [
        (NOW_MS - RULES.unproven_ms_max, (VerdictState.VERIFIED, ("gpu_proof_postponed",))),
        (NOW_MS - RULES.unproven_ms_max - 1, (VerdictState.VERIFIED, ("gpu_proof_overdue",))),
        # Another card than the one that was rented.
        (None, (VerdictState.DEGRADED, ("gpu_unproven",))),
    ],
)
def test_a_rented_card_waits_for_its_proof_and_keeps_no_other_from_being_verified(
    proven_at_ms: int | None, expected: tuple[VerdictState, tuple[str, ...]]
) -> None:
    proven = {} if proven_at_ms is None else {"GPU-2": proven_at_ms}
    two = of(gpu(1), gpu(2))
    seen = judged(
        two, GOOD, shown=("GPU-1",), busy=True, gpus_rented=("GPU-2",), gpus_proven_at_ms=proven
    )
    assert seen == expected


def test_parts_by_mps_are_proven_as_their_card() -> None:
    parts = of(part(0), part(1))
    assert provable(parts, target()) == {"GPU-1": "NVIDIA H100 80GB HBM3"}
    assert judged(parts, GOOD, shown=("GPU-1",)) == (VerdictState.VERIFIED, ())


def test_a_card_of_which_a_part_is_rented_waits() -> None:
    assert provable(of(part(0), part(1)), target(gpus_rented=("GPU-1/1",))) == {}


def test_slices_by_mig_are_not_proven_and_say_so() -> None:
    slices = of(part(0, sharing=Sharing.MIG), part(1, sharing=Sharing.MIG))
    assert provable(slices, target()) == {}
    assert judged(slices, shown=("GPU-1",)) == (VerdictState.DEGRADED, ("gpu_unproven",))


def test_a_rented_card_is_not_asked() -> None:
    two = of(gpu(1), gpu(2))
    assert list(provable(two, target(gpus_rented=("GPU-1",)))) == ["GPU-2"]


def test_a_new_card_makes_the_first_looks_careful() -> None:
    two = of(gpu(1), gpu(2))
    assert not proven_before(two, target(gpus_proven_at_ms={"GPU-1": 1}))
    assert proven_before(two, target(gpus_proven_at_ms={"GPU-1": 1, "GPU-2": 1}))
