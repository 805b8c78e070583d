"""This will decide which part of a signed interval may be billed."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of server time, [start, end)."""

    start: datetime
    end: datetime

    @property
    def ms(self) -> int:
        """Return its length in milliseconds."""
        return (self.end - self.start) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What limits billing from outside the machine's word. None: not there yet."""

    #: when its SSH door stood open, as looks from outside prove
    door: Stretch | None
    #: everything before it was counted already
    proven_until: datetime | None
    stop_requested_at: datetime | None
    funded_until: datetime


def placed(
    *,
    from_age_ms: int,
    to_age_ms: int,
    started_at: datetime,
    nonce_at: datetime | None,
    bounds: Bounds,
) -> Stretch | None:
    """Return where an interval lies, whatever looks at the door say; None: nobody can tell."""
    if nonce_at is None:
        return None
    ends = [started_at + timedelta(milliseconds=to_age_ms), nonce_at, bounds.funded_until]
    if bounds.stop_requested_at is not None:
        ends.append(bounds.stop_requested_at)
    return _forward(started_at + timedelta(milliseconds=from_age_ms), min(ends))


def behind_open_door(stretch: Stretch, bounds: Bounds) -> Stretch | None:
    """Return what looks prove of it and nobody counted yet; None: nothing so far."""
    if bounds.door is None:
        return None
    start = max(stretch.start, bounds.door.start, bounds.proven_until or bounds.door.start)
    return _forward(start, min(stretch.end, bounds.door.end))


def may_count(stretch: Stretch, bounds: Bounds) -> bool:
    """Say whether a later look may prove more of it than is counted."""
    over = bounds.proven_until is not None and stretch.end <= bounds.proven_until
    missed = bounds.door is not None and stretch.end <= bounds.door.start
    return not over and not missed


def _forward(start: datetime, end: datetime) -> Stretch | None:
    stretch = Stretch(start, end)
    return stretch if stretch.ms > 0 else None
