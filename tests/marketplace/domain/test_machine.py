from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.machine import (
    silent_since,
    uptime_by_day,
    uptime_is_due,
    within_clock_skew,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MOMENTS = st.integers(0, 30 * 86_400_000).map(lambda ms: NOW + timedelta(milliseconds=ms))


@pytest.mark.parametrize(
    ("off_ms", "accepted"),
    [(0, True), (60_000, True), (-60_000, True), (60_001, False), (-60_001, False)],
)
def test_a_clock_may_be_sixty_seconds_off(off_ms: int, accepted: bool) -> None:
    assert within_clock_skew(NOW_MS + off_ms, now=NOW) is accepted


def test_a_machine_is_silent_after_sixty_seconds() -> None:
    assert silent_since(NOW) == NOW - timedelta(seconds=60)


def test_uptime_is_written_down_once_a_minute() -> None:
    assert not uptime_is_due(NOW - timedelta(seconds=59), now=NOW)
    assert uptime_is_due(NOW - timedelta(seconds=60), now=NOW)


@given(start=MOMENTS, minutes=st.integers(0, 5000))
def test_uptime_is_cut_at_midnight_and_nothing_is_lost(start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    days = uptime_by_day(start, end)
    assert abs(sum(ms for _, ms in days) - minutes * 60_000) <= len(days)
    assert all(0 <= ms <= 86_400_000 for _, ms in days)
    assert [day for day, _ in days] == sorted({day for day, _ in days})
