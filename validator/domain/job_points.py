"""This will count what jobs are worth by ComputeHorde's formula."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class ClassWork:
    """What one miner's machines of one hardware class worked on jobs."""

    #: points of one second of one executor of the class
    relative_value: Fraction
    #: 1 until it was measured
    efficiency: Fraction
    #: closed and unfinished jobs alike, and never what a job only asked for
    worked_ms: int


def job_points(work: Iterable[ClassWork]) -> Fraction:
    """Return the sum over the classes of relative value x efficiency x worked seconds.

    Source: ComputeHorde's README up to 2024-12-17 (horde_sundara.md 2a), which assigns where it
    means to add.
    """
    return sum(
        (one.relative_value * one.efficiency * Fraction(one.worked_ms, SECOND_MS) for one in work),
        Fraction(0),
    )
