"""The rows of attempts: kept for a while, and an end is written once."""

from datetime import UTC, datetime, timedelta

import pytest

from validator import submissions
from validator.domain.submission import Finding, Outcome
from validator.models import WeightSubmission

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUBJECT = {"network": "finney", "netuid": 27, "hotkey": "5Alice"}
SOON = Finding(Outcome.TOO_SOON, "later")


def record(netuid: int, now: datetime) -> None:
    submissions.record(SUBJECT | {"netuid": netuid}, SOON, epoch=1, block=2, now=now)


def test_old_rows_go_but_for_an_open_one() -> None:
    old = NOW - timedelta(days=submissions.KEPT_DAYS, seconds=1)
    record(1, old)
    record(2, old + timedelta(seconds=1))
    WeightSubmission.objects.create(**SUBJECT, started_at=old)
    record(3, NOW)
    rows = WeightSubmission.objects.order_by("pk").values_list("netuid", "outcome")
    assert list(rows) == [(2, "too_soon"), (27, "sending"), (3, "too_soon")]


def test_what_is_settled_stays_so() -> None:
    row = WeightSubmission.objects.create(**SUBJECT, started_at=NOW)
    submissions.settle(row, Finding(Outcome.SET, "seen"), now=NOW)
    submissions.settle(row, Finding(Outcome.UNKNOWN, "no more"), now=NOW + timedelta(days=1))
    row.refresh_from_db()
    assert (row.outcome, row.detail, row.settled_at) == ("set", "seen", NOW)
    assert submissions.under_way(SUBJECT) is None
