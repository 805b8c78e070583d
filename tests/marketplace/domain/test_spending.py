"""Limits on what is set aside in a day, a month or in all."""

from datetime import UTC, datetime

import pytest

from marketplace.domain.spending import Period, SpendLimitReached, began, check, ends

NOW = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


def test_a_period_is_utcs_day_or_month() -> None:
    assert began(Period.DAY, NOW) == datetime(2026, 12, 31, tzinfo=UTC)
    assert began(Period.MONTH, NOW) == datetime(2026, 12, 1, tzinfo=UTC)
    assert began(Period.TOTAL, NOW) is None
    assert ends(Period.DAY, NOW) == ends(Period.MONTH, NOW) == datetime(2027, 1, 1, tzinfo=UTC)
    assert ends(Period.MONTH, datetime(2026, 2, 1, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert ends(Period.TOTAL, NOW) is None


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (Period.DAY, "your limit of $10.00 a day leaves $4.00 until 1 Jan 00:00 UTC"),
        (Period.MONTH, "your limit of $10.00 a month leaves $4.00 until 1 Jan 00:00 UTC"),
        (Period.TOTAL, "this API key may spend $10.00 in all and has $4.00 left"),
    ],
)
def test_more_than_is_left_is_refused_in_words(period: Period, words: str) -> None:
    left = {"limit_microusd": 10_000_000, "counted_microusd": 6_000_000, "now": NOW}
    check(period, more_microusd=4_000_000, **left)  # type: ignore[arg-type]
    with pytest.raises(SpendLimitReached) as refused:
        check(period, more_microusd=4_000_001, **left)  # type: ignore[arg-type]
    assert words in refused.value.detail
    assert refused.value.detail.startswith("This sets $4.000001 aside; ")
