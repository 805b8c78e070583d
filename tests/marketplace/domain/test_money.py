"""Money is counted in whole micro-USD and never drifts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.money import (
    MS_PER_HOUR,
    AmountMalformed,
    charge,
    field_usd,
    format_usd,
    usd,
)

AMOUNTS = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("text", "microusd"),
    [
        ("0", 0),
        ("12.5", 12_500_000),
        ("$0.003", 3_000),
        ("0.000001", 1),
        ("-4", -4_000_000),
        (" 7 ", 7_000_000),
    ],
)
def test_an_amount_in_dollars_is_read_exactly(text: str, microusd: int) -> None:
    assert usd(text) == microusd


@pytest.mark.parametrize(
    "text", ["", "1e3", "1,000", "0.0000001", "NaN", "1.", ".5", "--1", "9" * 13, "١٢"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AmountMalformed):
        usd(text)


@pytest.mark.parametrize(
    ("microusd", "text"),
    [
        (1_230_000, "$1.23"),
        (0, "$0.00"),
        (4_500, "$0.0045"),
        (-1, "-$0.000001"),
        (10**9, "$1,000.00"),
        (-12_345_678_900_001, "-$12,345,678.900001"),
    ],
)
def test_an_amount_is_shown_exactly(microusd: int, text: str) -> None:
    assert format_usd(microusd) == text


@given(AMOUNTS)
def test_what_stands_in_a_form_is_read_back_as_the_same_amount(microusd: int) -> None:
    assert usd(field_usd(microusd)) == microusd


def test_an_hour_costs_the_hourly_price() -> None:
    assert charge(1_000_001, MS_PER_HOUR) == 1_000_001


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**7), max_size=20))
def test_the_parts_of_a_rental_add_up_to_its_whole(price: int, stretches_ms: list[int]) -> None:
    ages = [sum(stretches_ms[:count]) for count in range(len(stretches_ms) + 1)]
    parts = [charge(price, until) - charge(price, since) for since, until in pairwise(ages)]
    assert sum(parts) == charge(price, ages[-1])
    assert all(part >= 0 for part in parts)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_renter_is_never_charged_more_than_the_time_is_worth(price: int, ms: int) -> None:
    assert charge(price, ms) * MS_PER_HOUR <= price * ms
