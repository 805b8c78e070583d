"""A host's discount curve, and what a reserved term costs by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.matching import Slice
from marketplace.domain.pricing import PriceType
from marketplace.domain.reserved import (
    DAY_S,
    CurveInvalid,
    Discount,
    ReservationRefused,
    ReservationUnfit,
    curve,
    discount_ppm,
    reserved_hour,
)
from marketplace.domain.terms import Limits, Tariff, agree

STEPS = [{"days": 7, "discount_ppm": 50_000}, {"days": 30, "discount_ppm": 200_000}]
CURVE = (Discount(7, 50_000), Discount(30, 200_000))
WHOLE = Slice(cpus=4, memory_bytes=1 << 30, disk_bytes=1 << 30)


def test_a_rising_curve_is_kept() -> None:
    assert curve(STEPS) == CURVE
    assert curve([]) == ()


@pytest.mark.parametrize(
    "steps",
    [
        [(0, 1)],
        [(366, 1)],
        [(1, -1)],
        [(1, 900_001)],
        [(7, 100), (7, 200)],
        [(30, 100), (7, 200)],
        [(7, 200), (30, 200)],
        [(7, 200), (30, 100)],
        [(day, day) for day in range(1, 14)],
    ],
)
def test_a_curve_that_is_out_of_bounds_or_does_not_rise_is_refused(
    steps: list[tuple[int, int]],
) -> None:
    with pytest.raises(CurveInvalid):
        curve([{"days": days, "discount_ppm": ppm} for days, ppm in steps])


@pytest.mark.parametrize(
    ("lease_s", "ppm"),
    [
        (7 * DAY_S, 50_000),
        (30 * DAY_S - 1, 50_000),
        (30 * DAY_S, 200_000),
        (365 * DAY_S, 200_000),
    ],
)
def test_the_highest_step_that_a_term_reaches_counts(lease_s: int, ppm: int) -> None:
    assert discount_ppm(CURVE, lease_s=lease_s) == ppm


@pytest.mark.parametrize("lease_s", [None, 0, DAY_S - 1, 365 * DAY_S + 1])
def test_what_is_no_term_of_a_reservation_is_refused(lease_s: int | None) -> None:
    with pytest.raises(ReservationUnfit):
        discount_ppm(CURVE, lease_s=lease_s)


def test_a_host_without_a_curve_or_with_a_longer_one_takes_none() -> None:
    with pytest.raises(ReservationRefused, match="7 days or more"):
        discount_ppm(CURVE, lease_s=DAY_S)
    with pytest.raises(ReservationRefused, match="takes no reservations"):
        discount_ppm((), lease_s=DAY_S)


def reserve(**changed: object) -> Limits:
    asked = {"lease_s": 30 * DAY_S, "cap_microusd": None, "bid_microusd": None}
    return Limits(
        **(asked | {"price_hour_microusd_max": None} | changed),  # type: ignore[arg-type]
        price_type=PriceType.RESERVED,
    )


def test_a_reservation_holds_its_whole_term_at_its_discount() -> None:
    tariff = Tariff(price_unit_microusd=25_000, discounts=CURVE, storage_price_microusd=70_000)
    terms = agree(tariff, WHOLE, reserve(), total=WHOLE, longest_term_s=30 * DAY_S)
    assert (terms.on_demand_hour_microusd, terms.price_hour_microusd) == (100_000, 80_000)
    # 30 days of 24 hours at $0.08, and nothing for its disk.
    assert (terms.worst_total_microusd, terms.storage_price_microusd) == (57_600_000, 0)


@pytest.mark.parametrize("changed", [{"cap_microusd": 10**9}, {"bid_microusd": 10**9}])
def test_a_reservation_takes_no_cap_and_no_bid(changed: dict[str, object]) -> None:
    tariff = Tariff(price_unit_microusd=25_000, discounts=CURVE)
    with pytest.raises(ReservationUnfit):
        agree(tariff, WHOLE, reserve(**changed), total=WHOLE, longest_term_s=30 * DAY_S)


@given(price=st.integers(1, 10**9), ppm=st.integers(0, 900_000))
def test_a_discount_is_rounded_for_the_host_and_never_free(price: int, ppm: int) -> None:
    hour = reserved_hour(price, ppm)
    assert 0 < hour <= price
    assert 0 <= hour * 1_000_000 - price * (1_000_000 - ppm) < 1_000_000
