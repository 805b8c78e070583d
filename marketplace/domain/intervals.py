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


def billable(
    *,
    from_age_ms: int,
    to_age_ms: int,
    age_ms: int | None,
    received_at: datetime,
    nonce_at: datetime | None,
    bounds: Bounds,
) -> Stretch | None:
    """Return the part of an interval that counts; None: nothing of it.

    The container's age, told in the same signed request, places the interval in server time: it
    began no later than ``received_at - age_ms``. The newest nonce that the machine held when the
    interval closed proves that it was still running at ``nonce_at``. So whatever the machine's
    clock says, a counted second lies inside its running time.
    """
    if age_ms is None or nonce_at is None or bounds.door is None:
        return None
    started_at = received_at - timedelta(milliseconds=age_ms)
    starts = [started_at + timedelta(milliseconds=from_age_ms), bounds.door.start]
    if bounds.proven_until is not None:
        starts.append(bounds.proven_until)
    ends = [
        started_at + timedelta(milliseconds=to_age_ms),
        nonce_at,
        bounds.door.end,
        bounds.funded_until,
    ]
    if bounds.stop_requested_at is not None:
        ends.append(bounds.stop_requested_at)
    stretch = Stretch(max(starts), min(ends))
    return stretch if stretch.ms > 0 else None
