"""This will turn one epoch's public record into points, the same to the bit on every computer.

The formula is in docs/validating.md, "Score". Every factor is a Fraction made from integers; only
the finished points are rounded (down), so nothing depends on an order of additions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from protocol.validator import EpochRecord, MachineRecord, MachineScore
from validator.domain.gpu_specs import (
    CPU_CLASS_BASE_HUNDREDTHS,
    MAX_BASE_HUNDREDTHS,
    base_hundredths,
)

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
    #: efficiency never counts beyond this. Our own choice
    efficiency_ppm_max: int = 1_500_000
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


RULES = ScoreRules()


def score(epoch: EpochRecord, rules: ScoreRules = RULES) -> tuple[MachineScore, ...]:
    """Return the points of every machine in the record, by machine id.

    Of the machines without GPU of one miner only the best counts: cutting one server into many
    virtual ones must never pay, and the record has no measure of a CPU machine's size.
    """
    factors_of = [(machine, _factors(machine, rules)) for machine in _ordered(epoch.machines)]
    points_of = {machine.machine_id: _points(factors) for machine, factors in factors_of}
    best_cpu = _best_cpu_machines(epoch.machines, points_of)
    return tuple(
        MachineScore(
            machine_id=machine.machine_id,
            miner_hotkey=machine.miner_hotkey,
            points_micro=_counted(machine, points_of, best_cpu),
            factors_ppm={name: _floor_ppm(factor) for name, factor in factors.items()},
        )
        for machine, factors in factors_of
    )


def _ordered(machines: Iterable[MachineRecord]) -> list[MachineRecord]:
    return sorted(machines, key=lambda machine: machine.machine_id.hex)


def _factors(machine: MachineRecord, rules: ScoreRules) -> Mapping[str, Fraction]:
    idle = Fraction(rules.idle_rate_ppm, PPM)
    organic = _organic(machine, rules)
    return {
        "capacity": _capacity(machine, rules),
        "efficiency": _efficiency(machine, rules),
        "uptime": _uptime(machine, rules),
        "organic": organic,
        "use": idle + (1 - idle) * organic,
        # The record holds no refusals yet; the factor is named so that its arrival changes nothing.
        "refusal": Fraction(1),
    }


def _points(factors: Mapping[str, Fraction]) -> Fraction:
    return (
        factors["capacity"]
        * factors["efficiency"]
        * factors["uptime"]
        * factors["refusal"]
        * factors["use"]
    )


def _base(machine: MachineRecord) -> Fraction:
    if _is_cpu_class(machine):
        return Fraction(CPU_CLASS_BASE_HUNDREDTHS, 100)
    return Fraction(base_hundredths(machine.gpu_model), 100)


def _capacity(machine: MachineRecord, rules: ScoreRules) -> Fraction:
    best = Fraction(MAX_BASE_HUNDREDTHS, 100)
    return _units(machine, rules) * _base(machine) * rules.top_points / (rules.gpus_max * best)


def _efficiency(machine: MachineRecord, rules: ScoreRules) -> Fraction:
    if machine.efficiency_ppm is None:
        return Fraction(1)
    return Fraction(min(max(machine.efficiency_ppm, 0), rules.efficiency_ppm_max), PPM)


def _uptime(machine: MachineRecord, rules: ScoreRules) -> Fraction:
    if not machine.has_valid_verdict:
        return Fraction(0)
    start = Fraction(rules.ramp_start_ppm, PPM)
    trusted = Fraction(min(max(machine.verified_for_ms, 0), rules.ramp_ms), rules.ramp_ms)
    return _share(machine.uptime_ppm, PPM) * (start + (1 - start) * trusted)


def _organic(machine: MachineRecord, rules: ScoreRules) -> Fraction:
    base = _base(machine)
    if base == 0 or machine.epoch_ms <= 0:
        return Fraction(0)
    fee_of_all = base * rules.organic_fee_microusd * Fraction(machine.epoch_ms, HOUR_MS)
    by_fees = min(Fraction(max(machine.fees_microusd, 0)) / fee_of_all, Fraction(1))
    return min(_share(machine.paid_ms, machine.epoch_ms), by_fees)


def _share(part: int, whole: int) -> Fraction:
    return min(Fraction(max(part, 0), whole), Fraction(1))


def _is_cpu_class(machine: MachineRecord) -> bool:
    return machine.gpus <= 0


def _units(machine: MachineRecord, rules: ScoreRules) -> int:
    return 1 if _is_cpu_class(machine) else min(machine.gpus, rules.gpus_max)


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
