"""A rental may be reported for so long."""

from datetime import UTC, datetime, timedelta

from marketplace.domain.rental_report import REPORTED_WITHIN, may_report

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_rental_may_be_reported_until_so_long_after_its_end() -> None:
    assert may_report(None, NOW)
    assert may_report(NOW - REPORTED_WITHIN, NOW)
    assert not may_report(NOW - REPORTED_WITHIN - timedelta(microseconds=1), NOW)
