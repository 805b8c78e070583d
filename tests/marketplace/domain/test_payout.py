"""What hosts may be paid: never more than there is, and time only adds to it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.payout import (
    AMOUNT_MICROUSD_MAX,
    ATTEMPTS_MAX,
    CENT_MICROUSD,
    NEXT,
    RESERVE_LASTS,
    RETRY_LONGEST,
    Earnings,
    PayoutState,
    available,
    friday,
    next_friday,
    payable,
    retry_after,
)

NOW = datetime(2026, 3, 6, tzinfo=UTC)
HOLD = timedelta(days=7)
#: (days ago, micro-USD)
EARNED = st.lists(st.tuples(st.floats(0, 60), st.integers(1, 10**15)), max_size=12)
SHARES = st.integers(0, PPM)


def earnings(earned: list[tuple[float, int]], given_back: int, at: datetime) -> Earnings:
    """Return the earnings at a moment; what was given back or paid out left the balance."""
    ages = [(at - NOW + timedelta(days=days), amount) for days, amount in earned]
    total = sum(amount for _, amount in earned)
    return Earnings(
        balance_microusd=MicroUsd(max(0, total - given_back)),
        young_microusd=MicroUsd(sum(amount for age, amount in ages if age <= HOLD)),
        recent_microusd=MicroUsd(sum(a for age, a in ages if HOLD < age <= RESERVE_LASTS)),
    )


@given(EARNED, st.integers(0, 10**15), SHARES)
def test_available_is_within_the_balance_and_never_negative(
    earned: list[tuple[float, int]], given_back: int, share: int
) -> None:
    found = available(earnings(earned, given_back, NOW), share)
    assert 0 <= found.available_microusd <= found.balance_microusd
    most = payable(found, MicroUsd(0))
    assert 0 <= most <= min(found.available_microusd, AMOUNT_MICROUSD_MAX)
    assert most % CENT_MICROUSD == 0


@given(EARNED, st.integers(0, 10**15), SHARES, st.floats(0, 90), st.floats(0, 90))
def test_time_alone_only_adds_to_it_until_all_is_available(
    earned: list[tuple[float, int]], given_back: int, share: int, one: float, other: float
) -> None:
    sooner, later = (
        available(earnings(earned, given_back, NOW + timedelta(days=days)), share)
        for days in sorted((one, other))
    )
    assert sooner.available_microusd <= later.available_microusd
    end = available(earnings(earned, given_back, NOW + timedelta(days=31)), share)
    assert end.available_microusd == end.balance_microusd


@given(EARNED, st.integers(1, 10**15), SHARES)
def test_earning_more_never_takes_from_it(
    earned: list[tuple[float, int]], more: int, share: int
) -> None:
    before = available(earnings(earned, 0, NOW), share)
    after = available(earnings([*earned, (0.0, more)], 0, NOW), share)
    assert after.available_microusd == before.available_microusd


@given(EARNED, SHARES)
def test_the_reserve_is_at_least_its_share_of_the_last_30_days(
    earned: list[tuple[float, int]], share: int
) -> None:
    found = available(earnings(earned, 0, NOW), share)
    kept = found.balance_microusd - found.available_microusd
    within = sum(amount for days, amount in earned if timedelta(days=days) <= RESERVE_LASTS)
    assert kept * PPM >= within * share


def test_the_worked_example_of_the_page() -> None:
    first = Earnings(MicroUsd(183_900_000), MicroUsd(39_900_000), MicroUsd(66_500_000))
    found = available(first, 100_000)
    assert found.reserve_microusd == 6_650_000
    assert payable(found, MicroUsd(20_000_000)) == found.available_microusd == 137_350_000
    left = MicroUsd(183_900_000 - 137_350_000)
    week_later = available(Earnings(left, MicroUsd(0), MicroUsd(106_400_000)), 100_000)
    assert week_later.available_microusd == 35_910_000


@pytest.mark.parametrize(
    ("free", "paid"),
    [
        (0, 0),
        (19_999_999, 0),
        (20_000_000, 20_000_000),
        (20_019_999, 20_010_000),
        (10**17, AMOUNT_MICROUSD_MAX),
    ],
)
def test_a_payout_is_whole_cents_from_the_minimum_on(free: int, paid: int) -> None:
    found = available(Earnings(MicroUsd(free), MicroUsd(0), MicroUsd(0)), 0)
    assert payable(found, MicroUsd(20_000_000)) == paid


@given(st.integers(-(10**9), 10**9))
def test_fridays_follow_each_other(seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    begin, end = friday(now), next_friday(now)
    assert begin <= now < end
    assert end - begin == timedelta(days=7)
    assert (begin.weekday(), begin.hour, begin.tzinfo) == (4, 0, UTC)


def test_a_friday_is_one_in_utc_wherever_the_clock_stands() -> None:
    tokyo = datetime.fromisoformat("2026-03-06T08:59:59+09:00")
    assert friday(tokyo) == NOW - timedelta(days=7)
    assert friday(tokyo + timedelta(seconds=1)) == NOW


@given(st.integers(0, 10_000))
def test_each_wait_is_at_least_as_long_as_the_one_before(asked: int) -> None:
    assert timedelta(0) < retry_after(asked) <= retry_after(asked + 1) <= RETRY_LONGEST


@pytest.mark.parametrize("old", PayoutState)
@pytest.mark.parametrize("new", PayoutState)
def test_a_payout_goes_only_forward(old: PayoutState, new: PayoutState) -> None:
    allowed = {("pending", "sent"), ("pending", "failed"), ("sent", "paid"), ("sent", "failed")}
    assert (new in NEXT[old]) == ((old, new) in allowed)


def test_what_is_refused_comes_back_after_some_eight_hours() -> None:
    """So money.md and operating.md say."""
    waits = [retry_after(number) for number in range(1, ATTEMPTS_MAX)]

    assert timedelta(hours=8) < sum(waits, timedelta(0)) < timedelta(hours=9)
