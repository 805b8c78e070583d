"""From a look at a machine to a verdict with reasons that its host can act on."""

import pytest

from protocol.hardware import Hardware
from protocol.validator import Measurement, VerdictState
from tests.validator.builders import ALICE, GIB, NOW_MS, gpu, hardware, target
from validator.domain import claims
from validator.domain.verdict import RULES, Look, Outcome, decide

GOOD = Measurement(
    cpus=2,
    cpu_hash_rate=4_000_000,
    memory_bytes_proven=1 << 28,
    memory_step_rate=900_000,
    proof_ms=900,
)


def judged(look: Look, **changes: object) -> tuple[VerdictState, tuple[str, ...]]:
    verdict = decide(hotkey=ALICE, target=target(**changes), look=look, now_ms=NOW_MS)
    for reason in verdict.reasons:
        assert reason.message[0].isupper()
        assert reason.message.endswith(".")
    return verdict.state, tuple(reason.code for reason in verdict.reasons)


def seen(measurement: Measurement | None = GOOD, found: Hardware | None = None) -> Look:
    return Look(Outcome.SEEN, hardware=found or hardware(), measurement=measurement)


def test_an_honest_machine_is_verified_and_the_verdict_expires() -> None:
    verdict = decide(hotkey=ALICE, target=target(), look=seen(), now_ms=NOW_MS)
    assert (verdict.state, verdict.reasons) == (VerdictState.VERIFIED, ())
    assert verdict.measurement == GOOD
    assert verdict.expires_at_ms == NOW_MS + RULES.valid_ms


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.SILENT, VerdictState.DEGRADED),
        (Outcome.PROVER_BUSY, VerdictState.DEGRADED),
        (Outcome.PROOF_UNFINISHED, VerdictState.DEGRADED),
        (Outcome.LOGIN_REFUSED, VerdictState.DEGRADED),
        (Outcome.ADDRESS_REFUSED, VerdictState.SUSPENDED),
        (Outcome.HOST_KEY_CHANGED, VerdictState.SUSPENDED),
        (Outcome.FACTS_MALFORMED, VerdictState.SUSPENDED),
        (Outcome.PROOF_WRONG, VerdictState.SUSPENDED),
    ],
)
def test_every_failed_look_has_a_state_and_says_what_to_do(
    outcome: Outcome, state: VerdictState
) -> None:
    assert judged(Look(outcome, "It went wrong.")) == (state, (f"machine_{outcome.value}",))


def test_a_slow_cpu_and_slow_memory_degrade() -> None:
    slow = GOOD.model_copy(update={"cpu_hash_rate": 199_999, "memory_step_rate": 49_999})
    assert judged(seen(slow)) == (VerdictState.DEGRADED, ("cpu_slow", "memory_slow"))
    enough = GOOD.model_copy(update={"cpu_hash_rate": 200_000, "memory_step_rate": 50_000})
    assert judged(seen(enough)) == (VerdictState.VERIFIED, ())


def test_a_machine_rented_out_whole_stays_verified_without_a_proof() -> None:
    proven = {"busy": True, "proven_at_ms": NOW_MS - RULES.unproven_ms_max}
    assert judged(seen(None), **proven) == (VerdictState.VERIFIED, ("proof_postponed",))


@pytest.mark.parametrize("proven_at_ms", [None, NOW_MS - RULES.unproven_ms_max - 1])
def test_a_proof_is_postponed_for_a_few_days_only(proven_at_ms: int | None) -> None:
    overdue = judged(seen(None), busy=True, proven_at_ms=proven_at_ms)
    assert overdue == (VerdictState.DEGRADED, ("proof_overdue",))


def test_an_idle_machine_that_offers_nothing_to_prove_is_not_verified() -> None:
    assert judged(seen(None)) == (VerdictState.DEGRADED, ("nothing_to_prove",))


def test_gpus_are_not_vouched_for_before_they_can_be_proven() -> None:
    with_gpu = hardware(gpus=(gpu(),))
    assert judged(seen(found=with_gpu), claimed=with_gpu) == (
        VerdictState.DEGRADED,
        ("gpu_unproven",),
    )


def test_a_lie_outweighs_a_good_proof() -> None:
    state, codes = judged(seen(found=hardware(cpus=2)))
    assert (state, codes) == (VerdictState.SUSPENDED, ("cpus_missing",))


@pytest.mark.parametrize(
    ("claimed", "found", "code"),
    [
        (hardware(), hardware(docker_version=""), "docker_missing"),
        (hardware(cpus=8), hardware(cpus=4), "cpus_missing"),
        (hardware(memory_bytes=8 * GIB), hardware(memory_bytes=7 * GIB), "memory_missing"),
        (hardware(disk_bytes=100 * GIB), hardware(disk_bytes=90 * GIB), "disk_missing"),
        (hardware(gpus=(gpu(1), gpu(2))), hardware(gpus=(gpu(1),)), "gpu_missing"),
        (
            hardware(gpus=(gpu(1, model="NVIDIA H200"),)),
            hardware(gpus=(gpu(1),)),
            "gpu_model_differs",
        ),
        (
            hardware(gpus=(gpu(1),)),
            hardware(gpus=(gpu(1, vram_bytes=40 * GIB),)),
            "vram_missing",
        ),
        (hardware(), hardware(gpus=(gpu(1), gpu(2, driver="1.0"))), "gpu_drivers_differ"),
    ],
)
def test_each_contradicted_claim_is_named(claimed: Hardware, found: Hardware, code: str) -> None:
    assert [problem.code for problem in claims.check(claimed=claimed, found=found)] == [code]


def test_more_than_claimed_and_a_few_pages_less_are_fine() -> None:
    found = hardware(cpus=64, memory_bytes=8 * GIB - 1024**2, gpus=(gpu(3),))
    assert claims.check(claimed=hardware(), found=found) == ()
