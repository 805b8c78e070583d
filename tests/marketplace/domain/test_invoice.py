"""Lines add up to what was charged, to the micro-dollar, however the time is cut into months."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain import invoice
from marketplace.domain.invoice import Line, Period, at_price, month_after, month_of, timed_lines
from marketplace.domain.metered import Priced
from marketplace.domain.money import MicroUsd

PRICES = st.integers(0, 50_000_000)
STEPS = st.lists(st.tuples(st.integers(0, 10**9), PRICES), min_size=1, max_size=5)


def costs(periods: list[Period], ms: int) -> int:
    """Return what so much time costs by the meter's own rule."""
    priced = Priced(periods[0].price_hour_microusd)
    for period in periods[1:]:
        if period.from_ms > ms:
            break
        cost = priced.cost(period.from_ms)
        priced = Priced(period.price_hour_microusd, period.from_ms, cost)
    return priced.cost(ms)


@given(steps=STEPS, cuts=st.lists(st.integers(0, 6 * 10**9), min_size=1, max_size=6))
def test_what_a_meter_charged_in_each_month_is_what_its_lines_say(
    steps: list[tuple[int, int]], cuts: list[int]
) -> None:
    periods, from_ms = [], 0
    for length, price in steps:
        periods.append(Period(from_ms, price))
        from_ms += length
    reached, everything = 0, 0
    for cut in sorted(cuts):
        charged = MicroUsd(costs(periods, cut) - costs(periods, reached))
        lines = list(timed_lines("R", periods, since_ms=reached, until_ms=cut, charged=charged))
        assert invoice.total(lines) == charged
        assert all(line.quantity for line in lines)
        reached, everything = cut, everything + charged
    assert everything == costs(periods, reached)


def test_what_no_time_explains_is_a_line_of_its_own() -> None:
    charged = MicroUsd(5_000_000)
    lines = list(
        timed_lines("R", [Period(0, 3_600_000)], since_ms=0, until_ms=3_600_000, charged=charged)
    )
    assert [(line.quantity, line.microusd) for line in lines] == [
        ("1.0000 h at $3.60/h", 3_600_000),
        ("", 1_400_000),
    ]


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (2_596_680, "0.7213 h at $0.427/h"),
        (2_596_500, "0.7213 h at $0.427/h"),
        (2_596_499, "0.7212 h at $0.427/h"),
        (179, "0.0000 h at $0.427/h"),
    ],
)
def test_hours_are_rounded_to_four_decimals(ms: int, text: str) -> None:
    assert at_price(ms, 427_000) == text


def test_many_lines_are_summed_at_the_end() -> None:
    lines = [Line("R", "", MicroUsd(1))] * (invoice.LINES_MAX + 5)
    kept = invoice.bounded(lines)
    assert (len(kept), invoice.total(kept)) == (invoice.LINES_MAX, len(lines))
    assert kept[-1].text == "6 more lines"
    assert invoice.bounded(lines[:3]) == tuple(lines[:3])


def test_what_takes_an_invoice_back_is_its_opposite() -> None:
    lines = (Line("R", "1 h", MicroUsd(7)), Line("S", "", MicroUsd(-3)))
    assert invoice.total(invoice.opposite(lines)) == -4


def test_months_follow_each_other_in_utc() -> None:
    december = month_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert december == datetime(2026, 12, 1, tzinfo=UTC)
    assert month_after(december) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_after(month_after(december)) == datetime(2027, 2, 1, tzinfo=UTC)
