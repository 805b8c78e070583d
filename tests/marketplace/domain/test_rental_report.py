"""Who pays what comes back adds up to it, and a rental may be reported for so long."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.rental_report import (
    REPORTED_WITHIN,
    Payer,
    Shares,
    may_report,
    shares,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MONEY = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("payer", "earned", "host", "site"),
    [
        (Payer.HOST, 10_000, 950, 50),
        (Payer.HOST, 900, 900, 100),
        (Payer.HOST, 0, 0, 1000),
        (Payer.HOST, -5, 0, 1000),
        (Payer.SITE, 10_000, 0, 1000),
    ],
)
def test_what_a_host_does_not_have_the_site_gives(
    payer: Payer, earned: int, host: int, site: int
) -> None:
    found = shares(1000, fee_ppm=50_000, payer=payer, earned_microusd=earned)
    assert found == Shares(host, site)  # type: ignore[arg-type]


@given(MONEY, st.integers(0, 1_000_000), st.sampled_from(Payer), MONEY)
def test_both_parts_are_the_whole_and_no_host_gives_what_they_have_not(
    amount: int, fee_ppm: int, payer: Payer, earned: int
) -> None:
    found = shares(amount, fee_ppm=fee_ppm, payer=payer, earned_microusd=earned)
    assert found.host_microusd + found.site_microusd == amount
    assert 0 <= found.host_microusd <= earned
    assert found.site_microusd >= 0


def test_a_rental_may_be_reported_until_so_long_after_its_end() -> None:
    assert may_report(None, NOW)
    assert may_report(NOW - REPORTED_WITHIN, NOW)
    assert not may_report(NOW - REPORTED_WITHIN - timedelta(microseconds=1), NOW)
