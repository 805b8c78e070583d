"""This will decide what a validator says about a machine, with reasons that its host can act on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from protocol.agent import Problem
from protocol.facts import Facts
from protocol.hardware import Hardware
from protocol.validator import (
    WITHOUT_PROOF,
    Finding,
    FindingState,
    LookKind,
    Measurement,
    Target,
    Verdict,
    VerdictState,
)
from validator.domain import checks, claims, gpu_judge
from validator.domain.checks.sources import CudaDevice, Sources


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
    #: None: they were not read, or refused
    facts: Facts | None = None
    #: what CUDA shows to the prover; None: it was not asked, or there is no CUDA
    cuda: tuple[CudaDevice, ...] | None = None
    #: uuid -> what the prover said when that GPU could not go on
    gpu_failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerdictRules:
    #: a verdict lasts this long; a pass runs far more often
    valid_ms: int = 30 * 60_000
    #: longer than the longest back-off, so that a bad machine is not new in between
    bad_ms: int = 90 * 60_000
    #: A machine that renters hold whole is verified without a proof for so long after its last one.
    #: Where they hold some of its GPUs for longer, those count in no score (ScoreRules).
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

Judgement = tuple[VerdictState, tuple[Problem, ...]]
#: findings that a verdict holds; the others fill reports alone
WORTH_TELLING = frozenset({FindingState.ODD, FindingState.CONTRADICTION})

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
    *,
    hotkey: str,
    target: Target,
    look: Look,
    now_ms: int,
    kind: LookKind = LookKind.PERIODIC,
    group: UUID | None = None,
    contradicted_before: Collection[str] = (),
    rules: VerdictRules = RULES,
) -> Verdict:
    """Return the verdict on one look, unsigned. Only VERIFIED machines may be listed.

    ``kind``: why it was made; without a proof it rests on the last one.
    ``group``: of the machines that were proven in the same instant; None: it was alone.
    ``contradicted_before``: what ``contradictions`` gave of the look before this one.
    """
    findings = compare(target, look, now_ms)
    again = bool(contradictions(findings) & frozenset(contradicted_before))
    contradicted = _contradicted(findings, again=again)
    if kind in WITHOUT_PROOF:
        state, reasons = _judge_facts(target, look, contradicted)
    else:
        state, reasons = _judge(target, look, contradicted, now_ms, rules)
    valid_ms = rules.valid_ms if state is VerdictState.VERIFIED else rules.bad_ms
    return Verdict(
        validator_hotkey=hotkey,
        machine_id=target.machine_id,
        machine_key=target.machine_key,
        state=state,
        look=kind,
        group=group,
        reasons=reasons,
        hardware=look.hardware,
        measurement=look.measurement,
        findings=tuple(one for one in findings if one.state in WORTH_TELLING),
        marks=look.facts.marks if look.facts else None,
        checked_at_ms=now_ms,
        expires_at_ms=now_ms + valid_ms,
    )


def rests_on_proof(target: Target, now_ms: int, rules: VerdictRules = RULES) -> bool:
    """Say whether what a proof could reach now passed one that is new enough to vouch for it."""
    if not gpu_judge.proven_before(target.claimed, target):
        return False
    free = gpu_judge.provable(target.claimed, target)
    cards = [
        target.gpus_proven_at_ms[gpu.uuid]
        for gpu in target.claimed.gpus
        if (gpu.card or gpu.uuid) in free
    ]
    return target.proven_at_ms is not None and all(
        now_ms - at_ms <= rules.unproven_ms_max for at_ms in (target.proven_at_ms, *cards)
    )


def compare(target: Target, look: Look, now_ms: int) -> tuple[Finding, ...]:
    """Return what each check of the machine's sources found, also where all is well."""
    if look.facts is None:
        return ()
    return checks.compare(
        Sources(
            facts=look.facts,
            now_ms=now_ms,
            gpus_rented=frozenset(target.gpus_rented),
            cuda=look.cuda,
            measured=look.measurement,
        )
    )


def contradictions(findings: Sequence[Finding]) -> frozenset[str]:
    """Return the codes of what contradicts itself."""
    return frozenset(one.code for one in findings if one.state is FindingState.CONTRADICTION)


def _judge(
    target: Target,
    look: Look,
    contradicted: Judgement | None,
    now_ms: int,
    rules: VerdictRules,
) -> Judgement:
    state, reasons = _judge_facts(target, look, contradicted)
    if state is not VerdictState.VERIFIED or look.hardware is None:
        return state, reasons
    if look.measurement is None:
        return _unproven(target, now_ms, rules)
    faults, notes = gpu_judge.judge(
        look.hardware,
        target,
        gpu_judge.GpusSeen(
            measured=look.measurement.gpus,
            shown=[device.uuid for device in look.cuda or ()],
            failures=look.gpu_failures,
        ),
        now_ms=now_ms,
        unproven_ms_max=rules.unproven_ms_max,
    )
    weak = (*_weak(look.measurement, rules), *faults)
    return (VerdictState.DEGRADED if weak else VerdictState.VERIFIED), (*weak, *notes)


def _judge_facts(target: Target, look: Look, contradicted: Judgement | None) -> Judgement:
    if look.outcome is not Outcome.SEEN or look.hardware is None:
        return _STATE.get(look.outcome, VerdictState.DEGRADED), (_failure(look),)
    untrue = claims.check(claimed=target.claimed, found=look.hardware)
    if untrue:
        return VerdictState.SUSPENDED, untrue
    return contradicted or (VerdictState.VERIFIED, ())


def _contradicted(findings: Sequence[Finding], *, again: bool) -> Judgement | None:
    """Found once it may be a driver just upgraded or a card just lost; in two looks it is not."""
    reasons = tuple(
        Problem(code=one.code, message=f"{one.message} {one.remedy}")
        for one in findings
        if one.state is FindingState.CONTRADICTION
    )
    if not reasons:
        return None
    return (VerdictState.SUSPENDED if again else VerdictState.DEGRADED), reasons


def _failure(look: Look) -> Problem:
    sentences = f"{look.detail} {_ACT.get(look.outcome, '')}".strip()
    return Problem(code=f"machine_{look.outcome.value}", message=sentences)


def _unproven(target: Target, now_ms: int, rules: VerdictRules) -> Judgement:
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
