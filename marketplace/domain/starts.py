"""This will say how quickly and how surely rentals begin, from those that began lately."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

#: of fewer nothing is expected: one slow image would be all that it says
EXPECTED_OF_MIN = 5


@dataclass(frozen=True, slots=True)
class Starts:
    """How the rentals of one machine began."""

    #: until SSH answered from outside, of half of them and of 95 of 100; None: none came up
    p50_ms: int | None
    p95_ms: int | None
    came_up: int
    #: by the machine's fault
    failed: int
    #: the site rented all of these itself, so nobody chose when or for whom they look good
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """When a rental may be ready, if it does as others did on its machine."""

    #: by then half of them were, and by then 95 of 100
    half_by: datetime
    most_by: datetime
    #: what this is based on: rentals that came up, and all of those that began
    came_up: int
    begun: int


def expected(
    *, asked_at: datetime, p50_ms: int, p95_ms: int, came_up: int, failed: int
) -> Expected | None:
    """Return when what was asked for then may be ready; None: of too few is known how they did."""
    if came_up < EXPECTED_OF_MIN:
        return None
    return Expected(
        half_by=asked_at + timedelta(milliseconds=p50_ms),
        most_by=asked_at + timedelta(milliseconds=p95_ms),
        came_up=came_up,
        begun=came_up + failed,
    )


def starts(waits_ms: Sequence[int], *, failed: int) -> Starts:
    """Return what these came to: each percentile is one of the waits, so none is made up."""
    rising = sorted(waits_ms)
    return Starts(_cut(rising, 50), _cut(rising, 95), came_up=len(rising), failed=failed)


def trusted(*, ours: Starts, everybodys: Starts) -> Starts:
    """Return those that the site rented itself, where these are enough to say something."""
    enough = ours.came_up + ours.failed >= EXPECTED_OF_MIN
    return replace(ours, ours=True) if enough else everybodys


def _cut(rising: Sequence[int], percent: int) -> int | None:
    """Return the smallest that is no smaller than so many of a hundred."""
    return rising[-(-len(rising) * percent // 100) - 1] if rising else None
