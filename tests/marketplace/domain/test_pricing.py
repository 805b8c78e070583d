import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

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
    worst_total,
)

PRICES = st.integers(0, 10**9)
AMOUNTS = st.integers(1, 10**12)
LEASES_S = st.integers(1, 10**7)
LONGEST_S = 10**7


def test_a_request_with_gpus_is_priced_by_gpu_alone() -> None:
    prices = {"price_gpu_hour_microusd": 2_000_000, "price_cpu_hour_microusd": 10_000}
    assert price_hour(gpus=2, cpus=16, **prices) == 4_000_000
    assert price_hour(gpus=0, cpus=16, **prices) == 160_000


@pytest.mark.parametrize(("price", "floor"), [(200, 100), (1600, 800), (10, 5), (1, 1)])
def test_the_floor_grows_with_the_slice(price: int, floor: int) -> None:
    told = floor_hour(price_hour_microusd=price, price_unit_microusd=200, floor_unit_microusd=100)
    assert told == floor


def test_the_floor_of_what_costs_nothing_is_the_hosts_own() -> None:
    free = floor_hour(price_hour_microusd=0, price_unit_microusd=0, floor_unit_microusd=7)
    assert free == 7


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
    assert term_ms(price_hour_microusd=0, lease_s=None, cap_microusd=5, longest_term_s=60) == 60_000


def test_value_is_the_price_of_a_million_measured_operations() -> None:
    assert value(price_hour_microusd=40_000, rate=8_000_000) == 5_000
    assert value(price_hour_microusd=40_000, rate=None) is None
    assert value(price_hour_microusd=40_000, rate=0) is None
