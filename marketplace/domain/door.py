"""This will judge an SSH door by looks from outside: which seconds count, and when it is lost.

Decided in docs/decisions/0006-looks-from-outside.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from marketplace.domain.intervals import Stretch

#: an open door is looked at again after this long, give or take the jitter: hosts can't tell when
LOOK_S, JITTER_S = 60, 10
#: so many misses in a row, while its machine is in touch, lose a door: about five minutes
MISSES_MAX = 6
#: the last seconds before a stop count without another look if the newest one is this recent
TAIL_S = 300


@dataclass(frozen=True, slots=True)
class Door:
    """What looks from outside told of one SSH door since it was first seen.

    Not to look is not a miss: it moves nothing.
    """

    #: the first of those good looks that no miss interrupts
    open_since: datetime
    #: the newest good look
    seen_at: datetime
    #: the first miss after it; None: there is none
    missed_at: datetime | None = None
    #: misses in a row, up to the newest look, while the machine itself was in touch
    misses: int = 0


def first_seen(at: datetime) -> Door:
    """Return the door that was seen for the first time."""
    return Door(open_since=at, seen_at=at)


def seen(door: Door, *, at: datetime) -> Door:
    """Return the door after a good look; what lies between a miss and it never counts."""
    return Door(open_since=door.open_since if door.missed_at is None else at, seen_at=at)


def missed(door: Door, *, at: datetime, in_touch: bool) -> Door:
    """Return the door after a look that found it shut.

    ``in_touch``: its machine was heard from meanwhile. One that is cut off altogether gets no
    money for it, but may come back with its renter's work.
    """
    first = door.missed_at or at
    return replace(door, missed_at=first, misses=door.misses + 1 if in_touch else 0)


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
