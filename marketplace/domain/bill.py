"""This will split a rental's time into what is billed and what is not, each stretch with why.

Decided in docs/decisions/0038-the-bill-of-a-rental.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from marketplace.domain.intervals import Stretch
from marketplace.domain.placement import PlacementState


class Reason(StrEnum):
    """Why a stretch is not billed."""

    PREPARING = "preparing"
    DOOR_UNSEEN = "door_unseen"
    DOOR_SHUT = "door_shut"
    MACHINE_SILENT = "machine_silent"
    STOPPED = "stopped"
    #: what is paid for ahead could not be renewed
    MONEY_OUT = "money_out"
    LEASE_OVER = "lease_over"
    #: signed, and no look from outside proved it
    UNPROVEN = "unproven"
    #: it may be charged yet
    PENDING = "pending"


SENTENCES = {
    Reason.PREPARING: "its machine was preparing it",
    Reason.DOOR_UNSEEN: "its SSH door had not been seen from outside yet",
    Reason.DOOR_SHUT: "its SSH door was shut",
    Reason.MACHINE_SILENT: "its machine was silent and signed for nothing",
    Reason.STOPPED: "its stop or end had been asked for",
    Reason.MONEY_OUT: "it was stopped as nothing could be set aside for it any more",
    Reason.LEASE_OVER: "its paid time was over",
    Reason.UNPROVEN: "no look from outside proved that it could be used",
    Reason.PENDING: "it is not proven yet: the next look from outside decides",
}
_STOPPED = frozenset(PlacementState) - {
    *(PlacementState.WAITING, PlacementState.OFFERED, PlacementState.ACCEPTED),
    *(PlacementState.PREPARING, PlacementState.RUNNING),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """From here on it is in this state."""

    at: datetime
    state: PlacementState
    #: its door was seen in this run
    is_seen: bool = False
    #: its money had run out
    is_unpaid: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a rental's time beside what is billed of it."""

    #: in order
    turns: tuple[Turn, ...]
    #: from the last good look before a miss to the next good one
    shut: tuple[Stretch, ...]
    #: nothing signed came
    silent: tuple[Stretch, ...]
    lease_end: datetime
    #: what is later may be charged yet; None: nothing is
    pending_from: datetime | None


@dataclass(frozen=True, slots=True)
class Unbilled:
    """A stretch that is not billed."""

    stretch: Stretch
    reason: Reason


@dataclass(frozen=True, slots=True)
class Split:
    """A rental's time: billed, unbilled and rounded together are all of it, to the millisecond."""

    total_ms: int
    billed_ms: int
    #: in order
    unbilled: tuple[Unbilled, ...]

    @property
    def rounded_ms(self) -> int:
        """Return the parts of milliseconds at the ends of stretches, which nobody pays."""
        return self.total_ms - self.billed_ms - sum(one.stretch.ms for one in self.unbilled)

    def by_reason(self) -> dict[Reason, int]:
        """Return the unbilled milliseconds of each reason that there is."""
        found: dict[Reason, int] = {}
        for one in self.unbilled:
            found[one.reason] = found.get(one.reason, 0) + one.stretch.ms
        return found


def split(whole: Stretch, billed: Sequence[Stretch], *, billed_ms: int, known: Evidence) -> Split:
    """Return the split of a rental's time.

    ``billed``: in order, none overlapping another, all inside ``whole``. ``billed_ms``: how many
    whole milliseconds of them were charged.
    """
    unbilled = [one for gap in _gaps(whole, billed) for one in _explained(gap, _near(gap, known))]
    return Split(whole.ms, billed_ms, tuple(one for one in unbilled if one.stretch.ms))


def _gaps(whole: Stretch, billed: Sequence[Stretch]) -> Iterator[Stretch]:
    start = whole.start
    for stretch in billed:
        if stretch.start > start:
            yield Stretch(start, stretch.start)
        start = max(start, stretch.end)
    if whole.end > start:
        yield Stretch(start, whole.end)


def _near(gap: Stretch, known: Evidence) -> Evidence:
    """Return what of the evidence is about the gap: a long rental has thousands of both."""
    return replace(
        known,
        turns=known.turns[
            max(0, bisect_right(known.turns, gap.start, key=lambda one: one.at) - 1) : bisect_left(
                known.turns, gap.end, key=lambda one: one.at
            )
        ],
        shut=_inside(gap, known.shut),
        silent=_inside(gap, known.silent),
    )


def _inside(gap: Stretch, stretches: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """Return those that reach into the gap; they are in order and none overlaps another."""
    first = bisect_right(stretches, gap.start, key=lambda one: one.end)
    return stretches[first : bisect_left(stretches, gap.end, key=lambda one: one.start)]


def _explained(gap: Stretch, known: Evidence) -> list[Unbilled]:
    """Return the gap in pieces, each with one reason and none beside another of the same."""
    moments = [turn.at for turn in known.turns] + [known.lease_end]
    moments += [at for one in known.shut for at in (one.start, one.end)]
    moments += [known.pending_from] if known.pending_from else []
    cuts = sorted({gap.start, gap.end, *(at for at in moments if gap.start < at < gap.end)})
    found: list[Unbilled] = []
    for start, end in pairwise(cuts):
        reason = _reason(start, known)
        if found and found[-1].reason == reason:
            found[-1] = Unbilled(Stretch(found[-1].stretch.start, end), reason)
        else:
            found.append(Unbilled(Stretch(start, end), reason))
    return [_silent(one, known) for one in found]


def _reason(at: datetime, known: Evidence) -> Reason:
    turns = [turn for turn in known.turns if turn.at <= at]
    newest = turns[-1] if turns else None
    if newest is not None and newest.state in _STOPPED:
        if at >= known.lease_end:
            return Reason.LEASE_OVER
        return Reason.MONEY_OUT if newest.is_unpaid else Reason.STOPPED
    if at >= known.lease_end:
        return Reason.LEASE_OVER
    if newest is None or newest.state is not PlacementState.RUNNING:
        return Reason.PREPARING
    if not newest.is_seen:
        return Reason.DOOR_UNSEEN
    if any(one.start <= at < one.end for one in known.shut):
        return Reason.DOOR_SHUT
    if known.pending_from is not None and at >= known.pending_from:
        return Reason.PENDING
    return Reason.UNPROVEN


def _silent(one: Unbilled, known: Evidence) -> Unbilled:
    """Return the stretch as silent where nothing signed came in most of it.

    What is signed comes a little later than it passes, so edges can't decide.
    """
    if one.reason not in (Reason.UNPROVEN, Reason.PENDING):
        return one
    own, silent = one.stretch, timedelta(0)
    for other in known.silent:
        both = min(own.end, other.end) - max(own.start, other.start)
        silent += max(both, timedelta(0))
    most = silent * 2 >= own.end - own.start
    return Unbilled(own, Reason.MACHINE_SILENT) if most and silent else one
