"""This will cut a run's time into intervals that join without gap or overlap."""

from itertools import pairwise

from protocol.receipts import INTERVAL_MS_MAX

#: an open run is counted this often
INTERVAL_EVERY_MS = 10_000


def stretches(*, counted_ms: int, age_ms: int) -> tuple[tuple[int, int], ...]:
    """Return the (from, to) ages that count everything from ``counted_ms`` up to ``age_ms``."""
    cuts = [*range(counted_ms, age_ms, INTERVAL_MS_MAX), age_ms]
    return tuple(pairwise(cuts))


def ended_age(*, counted_ms: int, age_ms: int, lasted_ms: int | None) -> int:
    """Return the age at which a dead container's counting ends.

    The engine's own duration comes from a clock that may step, so it can only shorten.
    Without it nothing after the last closed interval is counted: no second is billed unproven.
    """
    if lasted_ms is None:
        return counted_ms
    return max(counted_ms, min(age_ms, lasted_ms))


def is_due(*, counted_ms: int, age_ms: int) -> bool:
    """Say whether an open run has gone uncounted long enough for a new interval."""
    return age_ms - counted_ms >= INTERVAL_EVERY_MS
