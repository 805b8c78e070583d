"""This will judge an SSH door by looks from outside: which seconds count, and when it is lost.

Decided in docs/decisions/0006-looks-from-outside.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from marketplace.domain.intervals import Stretch

#: an open door is looked at again after this long, give or take the jitter: hosts can't tell when
LOOK_S, JITTER_S = 60, 10
#: so many misses among the newest looks that tell anything lose a door; a good look between them
#: forgives none, or whoever opens to one look in six would compute for nothing
MISSES_MAX, LOOKS_KEPT = 6, 60
#: so long at most counts without a look: before a stop, and of a gap between two good looks
TAIL_S = 300
#: a door that was never seen is tried again after this share of its age, and no later than this
TRY_SHARE, TRY_MAX_S = 0.25, 15
_KEPT = (1 << LOOKS_KEPT) - 1


@dataclass(frozen=True, slots=True)
class Door:
    """What looks from outside told of one SSH door since it was first seen."""

    #: since when good looks prove it open, with no miss and no long gap between them
    open_since: datetime
    #: the newest good look
    seen_at: datetime
    #: the first miss after it; None: there is none
    missed_at: datetime | None = None
    #: the newest looks that tell anything, one bit each, the newest lowest; 1: a miss
    looks: int = 0

    @property
    def misses(self) -> int:
        """How many of the looks kept are misses."""
        return self.looks.bit_count()


def first_seen(at: datetime, *, looks: int = 0) -> Door:
    """Return the door that was seen for the first time since a start.

    ``looks``: of the runs before it, which a stop does not forgive.
    """
    return Door(open_since=at, seen_at=at, looks=looks)


def seen(door: Door, *, at: datetime) -> Door:
    """Return the door after a good look.

    What lies between a miss and it never counts, and of a gap without looks only the end does.
    """
    if door.missed_at is not None:
        since = at
    elif at - door.seen_at > timedelta(seconds=TAIL_S):
        since = at - timedelta(seconds=TAIL_S)
    else:
        since = door.open_since
    # A look soon after another one, as at a start, tells nothing new: whoever starts again and
    # again would push out misses sooner than time does.
    tells = at - door.seen_at >= timedelta(seconds=LOOK_S / 2)
    return Door(
        open_since=since, seen_at=at, looks=door.looks << 1 & _KEPT if tells else door.looks
    )


def missed(door: Door, *, at: datetime, tells: bool) -> Door:
    """Return the door after a look that found it shut: nothing counts until the next good one.

    ``tells``: we see other doors, and its machine was heard from meanwhile. One that is cut off
    altogether gets no money for it, but may come back with its renter's work.
    """
    looks = (door.looks << 1 | 1) & _KEPT if tells else door.looks
    return replace(door, missed_at=door.missed_at or at, looks=looks)


def is_lost(door: Door) -> bool:
    """Say whether the placement behind it has to end."""
    return door.misses >= MISSES_MAX


def proven(door: Door, *, stop_at: datetime | None) -> Stretch:
    """Return when it stood open as far as looks can tell: from a good look to a good look.

    ``stop_at``: when its renter's stop or the end of the paid time ended the looks; the machine's
    own word is none of these. Up to then counts too, unless the newest look was a miss or is old.
    """
    end = door.seen_at
    if stop_at is not None and door.missed_at is None:
        end = max(end, min(stop_at, end + timedelta(seconds=TAIL_S)))
    return Stretch(door.open_since, end)


def next_look(*, now: datetime, chance: float) -> datetime:
    """Return when to look again; ``chance`` is a random number of [0, 1)."""
    return now + timedelta(seconds=LOOK_S + JITTER_S * (2 * chance - 1))


def next_try(*, now: datetime, running_at: datetime) -> datetime:
    """Return when to try a door again that was never seen: soon at first, then less and less."""
    age = max(timedelta(0), now - running_at)
    return now + min(age * TRY_SHARE, timedelta(seconds=TRY_MAX_S))
