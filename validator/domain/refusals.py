"""This will say what a machine loses by refusing what it has room for."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

PPM = 1_000_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class RefusalRules:
    """Every constant of this module. Source: horde_sundara.md 8d, after ComputeHorde's manual."""

    #: what is left of the factor after each refusal
    kept_ppm: int = 800_000
    #: it never falls below this
    least_ppm: int = 100_000
    #: what it rises by in an hour without one
    hourly_ppm: int = 20_000


RULES = RefusalRules()


def refusal_factor(
    refused_at_ms: Iterable[int], now_ms: int, rules: RefusalRules = RULES
) -> Fraction:
    """Return 1 for a machine that refused nothing lately, else what its refusals leave of it."""
    factor, since_ms = Fraction(1), 0
    for at_ms in sorted(at_ms for at_ms in refused_at_ms if at_ms <= now_ms):
        factor = _recovered(factor, at_ms - since_ms, rules)
        factor = max(factor * Fraction(rules.kept_ppm, PPM), Fraction(rules.least_ppm, PPM))
        since_ms = at_ms
    return _recovered(factor, now_ms - since_ms, rules)


def _recovered(factor: Fraction, ms: int, rules: RefusalRules) -> Fraction:
    return min(factor + Fraction(rules.hourly_ppm, PPM) * Fraction(ms, HOUR_MS), Fraction(1))
