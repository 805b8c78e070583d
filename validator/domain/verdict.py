"""This will decide what a validator says about a machine, with reasons that its host can act on."""

from dataclasses import dataclass
from enum import StrEnum

from protocol.agent import Problem
from protocol.hardware import Hardware
from protocol.validator import Measurement, Target, Verdict, VerdictState
from validator.domain import claims


class Outcome(StrEnum):
    """How far one look at a machine came."""

    #: the facts are read; the proof passed or there was nothing free to prove
    SEEN = "seen"
    #: no connection, or it broke: perhaps ours, perhaps the network's fault
    SILENT = "silent"
    HOST_KEY_CHANGED = "host_key_changed"
    LOGIN_REFUSED = "login_refused"
    ADDRESS_REFUSED = "address_refused"
    FACTS_MALFORMED = "facts_malformed"
    #: another validator's proof runs there, or no core is free
    PROVER_BUSY = "prover_busy"
    #: an answer came too late or the prover gave up
    PROOF_UNFINISHED = "proof_unfinished"
    #: an answer was wrong, twice
    PROOF_WRONG = "proof_wrong"


@dataclass(frozen=True, slots=True)
class Look:
    """Everything one look at a machine brought back."""

    outcome: Outcome
    #: one sentence, for people
    detail: str = ""
    hardware: Hardware | None = None
    measurement: Measurement | None = None


@dataclass(frozen=True, slots=True)
class VerdictRules:
    #: a verdict lasts this long; a pass runs far more often
    valid_ms: int = 30 * 60_000
    #: a bad verdict is looked at again sooner
    bad_ms: int = 10 * 60_000
    #: A machine that renters hold whole is verified without a proof for so long after its last one:
    #: over a long weekend an honest host loses nothing, while a machine that was shown once and
    #: then rented to itself earns, on the ramp of five days, about a third of those days' points.
    unproven_ms_max: int = 3 * 24 * 3_600_000
    #: PBKDF2-SHA256 iterations per second and CPU. Measured 2026-11-21: 4.4 million on an idle core
    #: with SHA instructions; without them about a quarter, and a busy machine gets half of that
    hash_rate_per_cpu_min: int = 100_000
    #: dependent steps per second and CPU. Measured 2026-11-21: 590,000 with every page kept; a page
    #: that must be made again costs about 100 us, so half of them missing means below 20,000
    step_rate_per_cpu_min: int = 25_000


RULES = VerdictRules()

#: looks that say nothing about the machine: unknown, not bad
UNKNOWN = frozenset({Outcome.SILENT, Outcome.PROVER_BUSY})

_STATE = {
    Outcome.SILENT: VerdictState.DEGRADED,
    Outcome.PROVER_BUSY: VerdictState.DEGRADED,
    Outcome.PROOF_UNFINISHED: VerdictState.DEGRADED,
    Outcome.LOGIN_REFUSED: VerdictState.DEGRADED,
    Outcome.ADDRESS_REFUSED: VerdictState.SUSPENDED,
    Outcome.HOST_KEY_CHANGED: VerdictState.SUSPENDED,
    Outcome.FACTS_MALFORMED: VerdictState.SUSPENDED,
    Outcome.PROOF_WRONG: VerdictState.SUSPENDED,
}

_ACT = {
    Outcome.SILENT: "Check that the agent runs and that its control port is open to the internet.",
    Outcome.PROVER_BUSY: "It is tried again by itself.",
    Outcome.PROOF_UNFINISHED: "Make sure that nothing outside Berth uses the machine.",
    Outcome.LOGIN_REFUSED: "Check that the agent runs and reaches the marketplace.",
    Outcome.ADDRESS_REFUSED: "Enrol the machine with the address that the internet sees.",
    Outcome.HOST_KEY_CHANGED: "If you replaced the machine or its key, enrol it again.",
    Outcome.FACTS_MALFORMED: "Update the agent.",
    Outcome.PROOF_WRONG: "Test the memory of the machine, then restart the agent.",
}


def decide(
    *, hotkey: str, target: Target, look: Look, now_ms: int, rules: VerdictRules = RULES
) -> Verdict:
    """Return the verdict on one look, unsigned. Only VERIFIED machines may be listed."""
    state, reasons = _judge(target, look, now_ms, rules)
    valid_ms = rules.valid_ms if state is VerdictState.VERIFIED else rules.bad_ms
    return Verdict(
        validator_hotkey=hotkey,
        machine_id=target.machine_id,
        machine_key=target.machine_key,
        state=state,
        reasons=reasons,
        hardware=look.hardware,
        measurement=look.measurement,
        checked_at_ms=now_ms,
        expires_at_ms=now_ms + valid_ms,
    )


def _judge(
    target: Target, look: Look, now_ms: int, rules: VerdictRules
) -> tuple[VerdictState, tuple[Problem, ...]]:
    if look.outcome is not Outcome.SEEN or look.hardware is None:
        return _STATE.get(look.outcome, VerdictState.DEGRADED), (_failure(look),)
    contradicted = claims.check(claimed=target.claimed, found=look.hardware)
    if contradicted:
        return VerdictState.SUSPENDED, contradicted
    if look.measurement is None:
        return _unproven(target, now_ms, rules)
    weak = (*_weak(look.measurement, rules), *_gpus_unproven(look.hardware))
    return (VerdictState.DEGRADED if weak else VerdictState.VERIFIED), weak


def _failure(look: Look) -> Problem:
    sentences = f"{look.detail} {_ACT.get(look.outcome, '')}".strip()
    return Problem(code=f"machine_{look.outcome.value}", message=sentences)


def _unproven(
    target: Target, now_ms: int, rules: VerdictRules
) -> tuple[VerdictState, tuple[Problem, ...]]:
    """Renters hold all of it: it stays verified for a while, as only a proven one could be rented.

    After that it is not for rent anew, though what runs there goes on.
    """
    if not target.busy:
        message = (
            "The machine offers no free CPU or memory to prove. Offer at least 1 CPU and 2 MiB."
        )
        return VerdictState.DEGRADED, (Problem(code="nothing_to_prove", message=message),)
    if target.proven_at_ms is None or now_ms - target.proven_at_ms > rules.unproven_ms_max:
        days = rules.unproven_ms_max // (24 * 3_600_000)
        message = (
            f"Renters hold the whole machine, and its last proof is more than {days} days old. It"
            " is proven again as soon as 1 CPU is free; the rentals go on."
        )
        return VerdictState.DEGRADED, (Problem(code="proof_overdue", message=message),)
    message = "Renters use the whole machine; it is proven again when a part is free."
    return VerdictState.VERIFIED, (Problem(code="proof_postponed", message=message),)


def _weak(measured: Measurement, rules: VerdictRules) -> tuple[Problem, ...]:
    found: list[Problem] = []
    if measured.cpu_hash_rate < rules.hash_rate_per_cpu_min * measured.cpus:
        message = (
            f"The {measured.cpus} CPUs reached {measured.cpu_hash_rate} hash iterations/s; at least"
            f" {rules.hash_rate_per_cpu_min * measured.cpus} are needed. Stop what else runs there."
        )
        found.append(Problem(code="cpu_slow", message=message))
    if measured.memory_step_rate < rules.step_rate_per_cpu_min * measured.cpus:
        message = (
            f"The memory answered {measured.memory_step_rate} steps/s; at least"
            f" {rules.step_rate_per_cpu_min * measured.cpus} are needed. Check for swapping."
        )
        found.append(Problem(code="memory_slow", message=message))
    return tuple(found)


def _gpus_unproven(hardware: Hardware) -> tuple[Problem, ...]:
    if not hardware.gpus:
        return ()
    message = "GPUs are not proven yet, so they cannot be rented."
    return (Problem(code="gpu_unproven", message=message),)
