"""What metered time costs where its price changes, held against counting each millisecond."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.intervals import Stretch
from marketplace.domain.metered import Priced, counted, pieces
from marketplace.domain.money import charge

START = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = st.integers(0, 10**9)
#: (moment in ms, price of an hour), made in this order
CHANGES = st.lists(st.tuples(st.integers(0, 400), PRICES), max_size=6)
#: (gap before it, length): stretches only move forward in server time
STRETCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 80)), max_size=8)


def moment(ms: int) -> datetime:
    return START + timedelta(milliseconds=ms)


@dataclass
class Changed:
    at: datetime
    price_hour_microusd: int
    former_price_hour_microusd: int | None = None


def by_each_millisecond(first_price: int, changes: list[Changed], proven: list[Stretch]) -> int:
    """Return the cost of each proven millisecond at its price, each period rounded down once."""
    periods = []
    for stretch in proven:
        for ms in range(stretch.ms):
            at = stretch.start + timedelta(milliseconds=ms)
            since = [number for number, change in enumerate(changes) if change.at <= at]
            periods.append(since[-1] if since else -1)
    cost = 0
    for period, same in groupby(periods):
        price = first_price if period < 0 else changes[period].price_hour_microusd
        cost += charge(price, len(list(same)))
    return cost


@given(first_price=PRICES, made=CHANGES, lengths=STRETCHES)
def test_each_proven_millisecond_costs_the_price_of_its_server_time(
    first_price: int, made: list[tuple[int, int]], lengths: list[tuple[int, int]]
) -> None:
    changes = sorted((Changed(moment(ms), price) for ms, price in made), key=lambda one: one.at)
    priced, waiting, end_ms, proven_ms = Priced(first_price), list(changes), 0, 0
    costs, proven, held = [0], [], []
    for gap, length in lengths:
        stretch = Stretch(moment(end_ms + gap), moment(end_ms + gap + length))
        end_ms += gap + length
        former = priced.price_hour_microusd
        priced, passed = counted(priced, waiting, stretch=stretch, proven_ms=proven_ms)
        for change in waiting[: len(passed)]:
            change.former_price_hour_microusd = former
            former = change.price_hour_microusd
            held.append(change)
        waiting = waiting[len(passed) :]
        assert all(proven_ms <= ms <= proven_ms + stretch.ms for ms in passed)
        proven_ms += stretch.ms
        proven.append(stretch)
        costs.append(priced.cost(proven_ms))
    assert costs == sorted(costs)
    assert costs[-1] == by_each_millisecond(first_price, changes, proven)
    if held:
        found = [piece for stretch in proven for piece in pieces(stretch, held)]
        whole = sum(price * ms for price, ms in found)
        assert sum(ms for _, ms in found) == proven_ms
        assert 0 <= whole - costs[-1] * 3_600_000 < 3_600_000 * (len(held) + 1)


def test_a_period_is_rounded_down_once_however_often_it_is_charged() -> None:
    priced = Priced(1_000_000, from_ms=500, from_microusd=7)
    steps = [priced.cost(ms) for ms in range(500, 2000, 3)]
    assert steps[0] == 7
    assert priced.cost(1999) == 7 + 1_000_000 * 1499 // 3_600_000
