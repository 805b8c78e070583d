"""This will turn one epoch's public record into points, the same to the bit on every computer.

The formula is in docs/validating.md, "Score". Every factor is a Fraction made from integers; only
the finished points are rounded (down), so nothing depends on an order of additions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from protocol.validator import EpochRecord, MachineRecord, MachineScore
from protocol.workload import PlacementKind
from validator.domain.distinct import distinct
from validator.domain.efficiency import base, efficiency
from validator.domain.gpu_specs import CPU_CLASS_BASE_HUNDREDTHS, MAX_BASE_HUNDREDTHS
from validator.domain.job_points import SECOND_MS, ClassWork, job_points
from validator.domain.refusals import refusal_factor
from validator.domain.verdict import RULES as VERDICT_RULES

PPM = 1_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """Every constant of the formula. Changing one changes every score, so all are public."""

    #: 8 x the best card is worth this much. Source: NI Compute README, read 2026-11-21
    top_points: int = 50
    #: cards of one machine that count. Source: NI Compute calculate_pow_score.py, min(num_gpus, 8)
    gpus_max: int = 8
    #: what a machine is trusted with on its first day. Source: Datura validator.py, 0.05
    ramp_start_ppm: int = 50_000
    #: until it is trusted in full. Source: Datura validator.py, 7200 minutes
    ramp_ms: int = 5 * DAY_MS
    #: share of the points that an idle machine earns. Source: Lium #1401, lowest step 0.7
    idle_rate_ppm: int = 700_000
    #: Fees that make a paid hour count in full, micro-USD per GPU-hour of a card with base 1.00.
    #: Our own choice: about 1.7 % of the USD 0.60 that such a card rents for, so that renting from
    #: oneself at a token price earns a token share.
    organic_fee_microusd: int = 10_000
    #: A machine of which nobody's word stands any more keeps its last good one for so long: that
    #: validators are away is not its doing. Our own choice, a little less than an epoch
    unknown_ms: int = 3_600_000
    #: A GPU that renters hold counts for so long after its last proof: over a long weekend an
    #: honest host loses nothing, while a card that was shown once and then rented to oneself earns,
    #: on the ramp of five days, about a third of those days' points, and nothing after them.
    unproven_ms_max: int = VERDICT_RULES.unproven_ms_max
    #: For so long it holds that two cards were proven at once, so are not one under two names. Our
    #: own choice: by then two cards that strangers rent were free together some time, while who
    #: borrows cards for that look has to borrow them every month
    together_ms_max: int = 30 * DAY_MS


RULES = ScoreRules()


def score(epoch: EpochRecord, rules: ScoreRules = RULES) -> tuple[MachineScore, ...]:
    """Return the points of every machine in the record, by machine id.

    Of the machines without GPU of one miner only the best counts: cutting one server into many
    virtual ones must never pay, and the record has no measure of a CPU machine's size.
    """
    now_ms = epoch.as_of_ms
    factors_of = [
        (machine, _factors(machine, now_ms, rules)) for machine in _ordered(epoch.machines)
    ]
    points_of = {machine.machine_id: _points(factors) for machine, factors in factors_of}
    best_cpu = _best_cpu_machines(epoch.machines, points_of)
    return tuple(
        MachineScore(
            machine_id=machine.machine_id,
            miner_hotkey=machine.miner_hotkey,
            points_micro=_counted(machine, points_of, best_cpu),
            jobs_micro=_floor_ppm(_jobs(machine, factors, rules)),
            factors_ppm={name: _floor_ppm(factor) for name, factor in factors.items()},
        )
        for machine, factors in factors_of
    )


def counts_as_verified(machine: MachineRecord, now_ms: int, rules: ScoreRules = RULES) -> bool:
    """Say whether a valid verdict stands, or ended so lately that nothing follows from silence."""
    lapsed_ms = now_ms - machine.verified_until_ms
    return machine.has_valid_verdict or (machine.is_unknown and lapsed_ms < rules.unknown_ms)


def capacity(machine: MachineRecord, now_ms: int, rules: ScoreRules = RULES) -> Fraction:
    """Return the points of all that was proven lately, before anything is taken off."""
    return min(_proven(machine, now_ms, rules), rules.gpus_max) * _value(machine, rules)


def _ordered(machines: Iterable[MachineRecord]) -> list[MachineRecord]:
    return sorted(machines, key=lambda machine: machine.machine_id.hex)


def _factors(machine: MachineRecord, now_ms: int, rules: ScoreRules) -> Mapping[str, Fraction]:
    idle = Fraction(rules.idle_rate_ppm, PPM)
    organic = _organic(machine, now_ms, rules)
    return {
        "capacity": capacity(machine, now_ms, rules),
        "efficiency": efficiency(machine),
        "uptime": _uptime(machine, now_ms, rules),
        "organic": organic,
        "use": idle + (1 - idle) * organic,
        "refusal": refusal_factor(machine.refused_at_ms, now_ms),
    }


def _points(factors: Mapping[str, Fraction]) -> Fraction:
    return (
        factors["capacity"]
        * factors["efficiency"]
        * factors["uptime"]
        * factors["refusal"]
        * factors["use"]
    )


def _value(machine: MachineRecord, rules: ScoreRules) -> Fraction:
    """Return the points of one of its units."""
    best = Fraction(MAX_BASE_HUNDREDTHS, 100)
    return _base(machine) * rules.top_points / (rules.gpus_max * best)


def _proven(machine: MachineRecord, now_ms: int, rules: ScoreRules) -> int:
    """Return how many of its units count: what was not proven lately is as if it were not there.

    No more count than are surely different cards: names of one card, each proven while its owner
    rents the others, count as one, and so do its parts.
    A machine without GPU is one unit, and has no valid verdict without a proof as new.
    """
    if _is_cpu_class(machine):
        return 1
    oldest_ms, together_ms = now_ms - rules.unproven_ms_max, now_ms - rules.together_ms_max
    lately = [one.uuid for one in machine.gpu_proofs if one.checked_at_ms >= oldest_ms]
    together = (one for one in machine.together if one.checked_at_ms >= together_ms)
    return min(distinct(lately, together), machine.gpus)


def _base(machine: MachineRecord) -> Fraction:
    if _is_cpu_class(machine):
        return Fraction(CPU_CLASS_BASE_HUNDREDTHS, 100)
    return Fraction(base(machine), 100)


def _uptime(machine: MachineRecord, now_ms: int, rules: ScoreRules) -> Fraction:
    if not counts_as_verified(machine, now_ms, rules):
        return Fraction(0)
    start = Fraction(rules.ramp_start_ppm, PPM)
    trusted = Fraction(min(max(machine.verified_for_ms, 0), rules.ramp_ms), rules.ramp_ms)
    return _share(machine.uptime_ppm, PPM) * (start + (1 - start) * trusted)


def _jobs(machine: MachineRecord, factors: Mapping[str, Fraction], rules: ScoreRules) -> Fraction:
    """Return the points of its jobs: a unit that works a whole epoch makes one unit's capacity.

    They are shown and not added: what renters paid for, jobs or not, is in "use" already.
    """
    if machine.epoch_ms <= 0:
        return Fraction(0)
    unit_ms = Fraction(machine.epoch_ms, max(1, machine.gpus))
    value = _value(machine, rules) * SECOND_MS / unit_ms
    worked_ms = sum(
        work.worked_ms * max(1, work.gpus)
        for work in machine.work
        if work.kind is PlacementKind.JOB
    )
    return job_points([ClassWork(value, factors["efficiency"], worked_ms)])


def _organic(machine: MachineRecord, now_ms: int, rules: ScoreRules) -> Fraction:
    worth = _base(machine)
    proven_ms = Fraction(machine.epoch_ms * _proven(machine, now_ms, rules), max(1, machine.gpus))
    if worth == 0 or proven_ms <= 0:
        return Fraction(0)
    # A GPU is overdue as it was rented all the time: what was paid for it is not of the others.
    paid_ms = machine.paid_ms - (machine.epoch_ms - proven_ms)
    fee_of_all = worth * rules.organic_fee_microusd * proven_ms / HOUR_MS
    return min(_share(paid_ms, proven_ms), _share(machine.fees_microusd, fee_of_all))


def _share(part: int | Fraction, whole: int | Fraction) -> Fraction:
    return min(Fraction(max(part, 0), whole), Fraction(1))


def _is_cpu_class(machine: MachineRecord) -> bool:
    return machine.gpus <= 0


def _best_cpu_machines(
    machines: Iterable[MachineRecord], points_of: Mapping[UUID, Fraction]
) -> frozenset[UUID]:
    best: dict[str, MachineRecord] = {}
    for machine in _ordered(machines):
        if not _is_cpu_class(machine) or not machine.miner_hotkey:
            continue
        ahead = best.get(machine.miner_hotkey)
        if ahead is None or points_of[machine.machine_id] > points_of[ahead.machine_id]:
            best[machine.miner_hotkey] = machine
    return frozenset(machine.machine_id for machine in best.values())


def _counted(
    machine: MachineRecord, points_of: Mapping[UUID, Fraction], best_cpu: frozenset[UUID]
) -> int:
    # A host without hotkey gets no weight, so splitting gains nothing: its points are shown.
    spare = _is_cpu_class(machine) and machine.miner_hotkey and machine.machine_id not in best_cpu
    return 0 if spare else _floor_ppm(points_of[machine.machine_id])


def _floor_ppm(value: Fraction) -> int:
    return int(value * PPM)
