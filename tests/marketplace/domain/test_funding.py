"""What is held pays for all that may ever count, whatever its prices do."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.door import Door
from marketplace.domain.funding import AHEAD_MS, PART_MS_MIN, RENEWED_MS, Costs, parts, uncounted_ms
from marketplace.domain.metered import Priced
from tests.marketplace.scene import after

PRICES = st.integers(min_value=1, max_value=10**9)
TIMES = st.integers(min_value=0, max_value=10**8)
MONEY = st.integers(min_value=0, max_value=10**10)


@given(PRICES, st.none() | PRICES, TIMES, TIMES, MONEY, MONEY, st.integers(0, 100))
def test_no_time_that_counts_costs_more_than_is_held(
    price: int, later: int | None, before_ms: int, ms: int, beside: int, more: int, part: int
) -> None:
    """A later price takes hold anywhere in the time that is paid for."""
    priced = Priced(price, before_ms, 7)
    proven_ms = before_ms + ms
    held = priced.cost(proven_ms) + beside + more
    costs = Costs(priced, max(price, later or 0), proven_ms, 0, beside)
    most_ms = costs.paid_ms(held)
    assert most_ms >= proven_ms
    if later is not None:
        from_ms = proven_ms + (most_ms - proven_ms) * part // 100
        priced = Priced(later, from_ms, priced.cost(from_ms))
    assert priced.cost(most_ms) + beside <= held


@given(PRICES, st.none() | PRICES, TIMES, TIMES, MONEY)
def test_what_is_needed_pays_for_the_time_that_it_is_needed_for(
    price: int, later: int | None, proven_ms: int, uncounted: int, beside: int
) -> None:
    dearest = max(price, later or 0)
    costs = Costs(Priced(price), dearest, proven_ms, uncounted, beside)
    left_ms = costs.left_ms(costs.needed(AHEAD_MS))
    # A micro-dollar is the least that is held, so less than that of time may be missing.
    assert AHEAD_MS - 2 * (3_600_000 // dearest + 1) <= left_ms
    assert costs.left_ms(0) == 0


@pytest.mark.parametrize(
    ("left_ms", "first", "least"),
    [
        (0, AHEAD_MS, PART_MS_MIN),
        (RENEWED_MS, RENEWED_MS, PART_MS_MIN),
    ],
)
def test_all_that_is_missing_is_asked_for_first_and_then_halves(
    left_ms: int, first: int, least: int
) -> None:
    found = parts(AHEAD_MS, left_ms=left_ms)
    assert found[0] == first
    assert least <= found[-1] < 2 * least
    assert all(after == before // 2 for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("ahead_ms", "left_ms", "asked"),
    [
        (AHEAD_MS, RENEWED_MS + 1, ()),
        # The rest of a lease, and nothing beyond it.
        (10_000, 4_000, (6_000,)),
        (4_000, 4_000, ()),
        (0, 5_000, ()),
    ],
)
def test_what_is_paid_for_is_not_asked_for(
    ahead_ms: int, left_ms: int, asked: tuple[int, ...]
) -> None:
    assert parts(ahead_ms, left_ms=left_ms) == asked


@pytest.mark.parametrize(
    ("proven", "missed", "stop", "seconds"),
    [
        (None, False, None, 90),
        (50, False, None, 50),
        (5, False, None, 90),
        # What lies between a miss and the next good look never counts.
        (50, True, None, 20),
        (50, False, 60, 10),
        (50, False, 40, 0),
    ],
)
def test_what_may_still_be_proven_lies_behind_the_door(
    proven: int | None, missed: bool, stop: int | None, seconds: int
) -> None:
    door = Door(after(10), after(70), after(80) if missed else None)
    assert (
        uncounted_ms(
            door,
            proven_until=None if proven is None else after(proven),
            stop_requested_at=None if stop is None else after(stop),
            now=after(100),
        )
        == seconds * 1000
    )
    nothing = uncounted_ms(None, proven_until=None, stop_requested_at=None, now=after(1))
    assert timedelta(milliseconds=nothing) == timedelta(0)
