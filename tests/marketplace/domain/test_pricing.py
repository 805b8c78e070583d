from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketplace.domain import terms
from marketplace.domain.matching import Slice
from marketplace.domain.metered import Priced
from marketplace.domain.money import charge
from marketplace.domain.pricing import (
    BidBelowFloor,
    Bound,
    LimitMissing,
    NotLonger,
    PriceRaised,
    TermTooLong,
    TermTooShort,
    affordable_ms,
    bound_by,
    check_bid,
    check_price,
    floor_hour,
    price_hour,
    raised,
    term_ms,
    value,
)

GIB = 1 << 30
PRICES = st.integers(1, 10**9)
AMOUNTS = st.integers(1, 10**12)
LEASES_S = st.integers(1, 10**7)
LONGEST_S = 10**7


BOX = Slice(cpus=4, memory_bytes=8 * GIB, disk_bytes=100 * GIB)
GPU_BOX = Slice(cpus=64, memory_bytes=512 * GIB, disk_bytes=4096 * GIB, gpus=8)


@st.composite
def machines_and_slices(draw: st.DrawFn, count: int) -> tuple[Slice, list[Slice]]:
    """Draw a machine and so many slices of it."""
    total = Slice(
        cpus=draw(st.integers(1, 512)),
        memory_bytes=draw(st.integers(1, 1 << 42)),
        disk_bytes=draw(st.integers(1, 1 << 46)),
        gpus=draw(st.integers(0, 16)),
    )
    amounts = astuple(total)
    return total, [
        Slice(*(draw(st.integers(0, amount)) for amount in amounts)) for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("asked", "total", "microusd"),
    [
        (Slice(1, 1 * GIB, 2 * GIB), BOX, 10_000),
        (Slice(1, 2 * GIB, 25 * GIB), BOX, 10_000),
        (Slice(1, 8 * GIB, 100 * GIB), BOX, 40_000),
        (Slice(1, 3 * GIB, 2 * GIB), BOX, 15_000),
        (Slice(1, 2 * GIB + 1, 2 * GIB), BOX, 10_001),
        (Slice(2, 1 * GIB, 75 * GIB), BOX, 30_000),
        (Slice(8, 64 * GIB, 512 * GIB, gpus=1), GPU_BOX, 10_000),
        (Slice(1, 8 * GIB, 64 * GIB), GPU_BOX, 1_250),
        (Slice(64, 8 * GIB, 64 * GIB), GPU_BOX, 80_000),
        (Slice(64, 8 * GIB, 64 * GIB, gpus=1), GPU_BOX, 80_000),
        # It asks for what the machine has none of, which is refused elsewhere.
        (Slice(1, 1 * GIB, 2 * GIB, gpus=1), BOX, 10_000),
        (Slice(1, 0, 0), Slice(0, 0, 0), 0),
    ],
)
def test_a_slice_costs_its_largest_share_of_the_machine(
    asked: Slice, total: Slice, microusd: int
) -> None:
    assert price_hour(asked, total=total, price_unit_microusd=10_000) == microusd


@given(drawn=machines_and_slices(1), price=PRICES)
def test_the_whole_machine_costs_the_whole_price_and_no_slice_more(
    drawn: tuple[Slice, list[Slice]], price: int
) -> None:
    total, (part,) = drawn
    whole = (total.gpus or total.cpus) * price
    assert price_hour(total, total=total, price_unit_microusd=price) == whole
    assert 0 <= price_hour(part, total=total, price_unit_microusd=price) <= whole


@given(drawn=machines_and_slices(2), price=PRICES)
def test_no_split_of_a_request_is_cheaper_and_no_larger_one_either(
    drawn: tuple[Slice, list[Slice]], price: int
) -> None:
    total, (one, other) = drawn
    both = Slice(*(a + b for a, b in zip(astuple(one), astuple(other), strict=True)))
    parts = [price_hour(each, total=total, price_unit_microusd=price) for each in (one, other)]
    together = price_hour(both, total=total, price_unit_microusd=price)
    assert max(parts) <= together <= sum(parts)


@given(drawn=machines_and_slices(1), units=st.integers(0, 16), price=PRICES)
def test_who_takes_no_more_than_goes_with_a_unit_pays_for_its_units(
    drawn: tuple[Slice, list[Slice]], units: int, price: int
) -> None:
    total, _ = drawn
    all_ = total.gpus or total.cpus
    units = min(units, all_)
    fair = Slice(*(amount * units // all_ for amount in astuple(total)))
    assert price_hour(fair, total=total, price_unit_microusd=price) == units * price


@pytest.mark.parametrize(("price", "floor"), [(200, 100), (1600, 800), (10, 5), (1, 1)])
def test_the_floor_grows_with_the_slice(price: int, floor: int) -> None:
    told = floor_hour(price_hour_microusd=price, price_unit_microusd=200, floor_unit_microusd=100)
    assert told == floor


def test_a_bid_must_reach_the_floor() -> None:
    assert check_bid(100, price_hour_microusd=200, floor_hour_microusd=100) == 100
    with pytest.raises(BidBelowFloor):
        check_bid(99, price_hour_microusd=200, floor_hour_microusd=100)


@pytest.mark.parametrize("floor", [100, 300])
def test_a_bid_above_the_price_costs_the_price(floor: int) -> None:
    assert check_bid(250, price_hour_microusd=200, floor_hour_microusd=floor) == 200


def test_a_price_above_the_agreed_one_is_refused_with_both() -> None:
    check_price(40_000, at_most_microusd=None)
    check_price(40_000, at_most_microusd=40_000)
    with pytest.raises(PriceRaised, match=r"\$0\.04 an hour now, more than the \$0\.03 "):
        check_price(40_000, at_most_microusd=30_000)


def worst_total(price_hour_microusd: int, **limits: Any) -> int:
    """Return the most that a rental within these limits costs."""
    term = term_ms(price_hour_microusd=price_hour_microusd, **limits)
    return terms.worst_total(Priced(price_hour_microusd), term)


def test_a_rental_without_an_end_is_refused() -> None:
    with pytest.raises(LimitMissing, match="how long"):
        worst_total(
            price_hour_microusd=1, lease_s=None, cap_microusd=None, longest_term_s=LONGEST_S
        )


@pytest.mark.parametrize(
    ("lease_s", "cap", "price"),
    [(0, None, 1), (None, 0, 1), (0, 0, 1), (-1, None, 1), (60, 1, 3_600_001), (None, 1, 10**9)],
)
def test_limits_that_leave_less_than_a_second_are_refused(
    lease_s: int | None, cap: int | None, price: int
) -> None:
    with pytest.raises(TermTooShort, match="less than a second"):
        worst_total(
            price_hour_microusd=price, lease_s=lease_s, cap_microusd=cap, longest_term_s=LONGEST_S
        )


def test_the_cheapest_rental_sets_a_micro_usd_aside() -> None:
    limits = {"cap_microusd": None, "longest_term_s": LONGEST_S}
    assert worst_total(price_hour_microusd=1, lease_s=1, **limits) == 1


@pytest.mark.parametrize(
    ("lease_s", "cap", "bound"),
    [
        (60, None, Bound.LEASE),
        (60, 60_000, Bound.LEASE),
        (120, 60_000, Bound.CAP),
        (None, 60_000, Bound.CAP),
        (None, 60_001, Bound.LONGEST),
        (90, 60_001, Bound.LONGEST),
    ],
)
def test_the_limit_that_is_reached_first_ends_a_rental(
    lease_s: int | None, cap: int | None, bound: Bound
) -> None:
    limits = {"price_hour_microusd": 3_600_000, "lease_s": lease_s, "cap_microusd": cap}
    assert bound_by(**limits, term_ms=60_000) is bound


@pytest.mark.parametrize(
    ("present", "asked", "holds"), [(1, None, 1), (None, 1, 1), (None, None, None), (1, 1, 1)]
)
def test_a_limit_that_is_not_asked_about_stays(
    present: int | None, asked: int | None, holds: int | None
) -> None:
    assert raised(present, asked) == holds


def test_no_limit_sinks() -> None:
    with pytest.raises(NotLonger):
        raised(2, 1)


def test_a_lease_beyond_the_offers_longest_term_is_refused() -> None:
    with pytest.raises(TermTooLong, match="2 hours"):
        term_ms(price_hour_microusd=1, lease_s=7201, cap_microusd=None, longest_term_s=7200)


@given(price=PRICES, amount=AMOUNTS, at_most_ms=st.integers(0, 10**10))
def test_what_an_amount_affords_never_costs_more_and_is_the_longest_such(
    price: int, amount: int, at_most_ms: int
) -> None:
    milliseconds = affordable_ms(price, amount, at_most_ms=at_most_ms)
    assert charge(price, milliseconds) <= amount
    assert milliseconds == at_most_ms or price * (milliseconds + 1) > amount * 3_600_000


@given(price=PRICES, lease_s=LEASES_S, cap=AMOUNTS)
def test_a_rental_never_costs_more_than_its_cap_or_its_lease(
    price: int, lease_s: int, cap: int
) -> None:
    assume(affordable_ms(price, cap, at_most_ms=1000) == 1000)
    limits = {"price_hour_microusd": price, "longest_term_s": LONGEST_S}
    both = worst_total(lease_s=lease_s, cap_microusd=cap, **limits)
    assert both <= cap
    assert both <= worst_total(lease_s=lease_s, cap_microusd=None, **limits)
    assert both == max(1, charge(price, term_ms(lease_s=lease_s, cap_microusd=cap, **limits)))


@given(price=PRICES, lease_s=LEASES_S, more_s=LEASES_S)
def test_a_longer_lease_never_costs_less(price: int, lease_s: int, more_s: int) -> None:
    limits = {"price_hour_microusd": price, "cap_microusd": None, "longest_term_s": 2 * LONGEST_S}
    assert worst_total(lease_s=lease_s, **limits) <= worst_total(lease_s=lease_s + more_s, **limits)


def test_a_cap_alone_is_bounded_by_the_longest_term() -> None:
    assert term_ms(price_hour_microusd=1, lease_s=None, cap_microusd=5, longest_term_s=60) == 60_000


def test_value_is_the_price_of_a_million_measured_operations() -> None:
    assert value(price_hour_microusd=40_000, rate=8_000_000) == 5_000
    assert value(price_hour_microusd=40_000, rate=None) is None
    assert value(price_hour_microusd=40_000, rate=0) is None
