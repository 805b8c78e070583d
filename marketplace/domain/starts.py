"""This will say how quickly and how surely rentals begin, from those that began lately."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

#: of fewer nothing is expected: one slow image would be all that it says
EXPECTED_OF_MIN = 5
#: the kind of all machines together; that of those without a GPU is empty
ALL = "*"


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


#: how rentals began, by the machine's model of GPU; ALL together too
Kinds = Callable[[], Mapping[str, Starts]]


class Basis(StrEnum):
    """Whose rentals tell when one may be ready."""

    MACHINE = "machine"
    #: of machines with the same GPU, or of those without one
    KIND = "kind"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class Expected:
    """When a rental may be ready, if it does as others did."""

    #: by then half of them were, and by then 95 of 100
    half_by: datetime
    most_by: datetime
    #: what this is based on: rentals that came up, and all of those that began
    came_up: int
    begun: int
    #: where they began
    basis: Basis = Basis.MACHINE


def known(of_machine: Starts, *, gpu_model: str, kinds: Kinds) -> tuple[Starts, Basis] | None:
    """Return how others began, as close by as is known of enough; None: nowhere of enough.

    ``gpu_model``: empty: the machine has none. ``kinds``: asked only where the machine's own
    figures say too little.
    """
    if of_machine.came_up >= EXPECTED_OF_MIN:
        return of_machine, Basis.MACHINE
    of_kinds = kinds()
    of_kind = None if gpu_model == ALL else of_kinds.get(gpu_model)
    for found, basis in ((of_kind, Basis.KIND), (of_kinds.get(ALL), Basis.SITE)):
        if found is not None and found.came_up >= EXPECTED_OF_MIN:
            return found, basis
    return None


def expected(found: Starts, basis: Basis, *, asked_at: datetime) -> Expected | None:
    """Return when what was asked for then may be ready; None: none of them came up."""
    if found.p50_ms is None or found.p95_ms is None:
        return None
    return Expected(
        half_by=asked_at + timedelta(milliseconds=found.p50_ms),
        most_by=asked_at + timedelta(milliseconds=found.p95_ms),
        came_up=found.came_up,
        begun=found.came_up + found.failed,
        basis=basis,
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
