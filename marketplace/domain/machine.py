"""This will hold the rules about a machine's presence: clock, silence and counted uptime."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class PresenceLimits:
    #: a signed request may differ from our clock by this much either way
    clock_skew_s: int = 60
    #: a machine that said nothing for this long is offline
    silence_s: int = 60
    #: uptime is written down in steps of this size, not at every heartbeat
    uptime_step_s: int = 60


LIMITS = PresenceLimits()


def within_clock_skew(sent_at_ms: int, *, now: datetime, limits: PresenceLimits = LIMITS) -> bool:
    """Say whether a signed request's own clock is near enough to ours."""
    return abs(now.timestamp() * 1000 - sent_at_ms) <= limits.clock_skew_s * 1000


def silent_since(now: datetime, *, limits: PresenceLimits = LIMITS) -> datetime:
    """Return the moment: whoever was last seen before it is offline."""
    return now - timedelta(seconds=limits.silence_s)


def uptime_is_due(counted_at: datetime, *, now: datetime, limits: PresenceLimits = LIMITS) -> bool:
    """Say whether enough uptime came together since ``counted_at`` to write it down."""
    return now - counted_at >= timedelta(seconds=limits.uptime_step_s)


def uptime_by_day(start: datetime, end: datetime) -> tuple[tuple[datetime, int], ...]:
    """Return (midnight UTC, milliseconds up) for each day that [start, end) touches."""
    days: list[tuple[datetime, int]] = []
    while start < end:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(end, midnight + timedelta(days=1))
        days.append((midnight, (until - start) // timedelta(milliseconds=1)))
        start = until
    return tuple(days)
