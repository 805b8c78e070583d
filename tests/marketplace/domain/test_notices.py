"""When notices are tried again, and how their receiver knows them."""

import hashlib
import hmac
from datetime import datetime, timedelta

from marketplace.domain.notices import HOOK_WAITS, MAIL_AGE_MAX, hook_due, mail_due, signature


def test_an_event_is_tried_nine_times_within_two_days(now: datetime) -> None:
    at, attempts = now, 1
    while (again := hook_due(attempts=attempts, now=at)) is not None:
        assert again > at
        at, attempts = again, attempts + 1
    assert attempts == 1 + len(HOOK_WAITS) == 9
    assert timedelta(days=1) < at - now < timedelta(days=2)


def test_a_letter_waits_longer_the_older_it_is_and_is_given_up_after_three_days(
    now: datetime,
) -> None:
    waits = [
        (again - now).total_seconds()
        for age_s in (0, 60, 600, 86_400)
        if (again := mail_due(at=now - timedelta(seconds=age_s), now=now)) is not None
    ]
    assert waits == [30, 60, 600, 3600]
    assert mail_due(at=now - MAIL_AGE_MAX, now=now) is None


def test_a_signature_holds_secret_time_and_body() -> None:
    expected = hmac.new(b"whs_x", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert signature("whs_x", timestamp=1_700_000_000, body=b'{"a":1}') == f"v1={expected}"
    both = signature("whs_x", "whs_y", timestamp=1_700_000_000, body=b'{"a":1}')
    assert [one == f"v1={expected}" for one in both.split(",")] == [True, False]
