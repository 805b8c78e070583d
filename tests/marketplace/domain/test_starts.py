"""How quickly and how surely rentals begin."""

from datetime import UTC, datetime, timedelta

from marketplace.domain.starts import EXPECTED_OF_MIN, Expected, Starts, expected, starts

ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_percentiles_are_waits_that_there_were() -> None:
    assert starts([400, 100, 200, 300], failed=1) == Starts(200, 400, came_up=4, failed=1)
    assert starts(range(1, 101), failed=0) == Starts(50, 95, came_up=100, failed=0)
    assert starts([700], failed=0) == Starts(700, 700, came_up=1, failed=0)


def test_where_none_came_up_there_is_no_time() -> None:
    assert starts([], failed=3) == Starts(None, None, came_up=0, failed=3)


def test_what_begins_may_do_as_others_did_where_they_were_enough() -> None:
    figures = {"asked_at": ASKED, "p50_ms": 20_000, "p95_ms": 90_000, "failed": 2}
    assert expected(**figures, came_up=EXPECTED_OF_MIN) == Expected(
        half_by=ASKED + timedelta(seconds=20),
        most_by=ASKED + timedelta(seconds=90),
        came_up=EXPECTED_OF_MIN,
        begun=EXPECTED_OF_MIN + 2,
    )
    assert expected(**figures, came_up=EXPECTED_OF_MIN - 1) is None
