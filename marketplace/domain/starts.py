"""This will say how quickly and how surely rentals begin, from those that began lately."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Starts:
    """How the rentals of one machine began."""

    #: until SSH answered from outside, of half of them and of 95 of 100; None: none came up
    p50_ms: int | None
    p95_ms: int | None
    came_up: int
    #: by the machine's fault
    failed: int


def starts(waits_ms: Sequence[int], *, failed: int) -> Starts:
    """Return what these came to: each percentile is one of the waits, so none is made up."""
    rising = sorted(waits_ms)
    return Starts(_cut(rising, 50), _cut(rising, 95), came_up=len(rising), failed=failed)


def _cut(rising: Sequence[int], percent: int) -> int | None:
    """Return the smallest that is no smaller than so many of a hundred."""
    return rising[-(-len(rising) * percent // 100) - 1] if rising else None
