"""What a kept disk and traffic cost, and that stopped is never dearer than running."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.money import charge
from marketplace.domain.upkeep import (
    GB,
    MONTH_MS,
    storage_cost,
    storage_price,
    traffic_bytes,
    traffic_cost,
)

HOUR_MS = 3_600_000


def test_the_examples_of_the_docs() -> None:
    assert storage_cost(70_000, 100 * GB, 36 * HOUR_MS) == 350_000
    assert storage_cost(70_000, 100 * GB, MONTH_MS) == 7_000_000
    assert traffic_cost(10_000, 4_500_000_000) == 45_000


@given(
    price=st.integers(0, 10**7),
    disk=st.integers(0, 1 << 50),
    hour=st.integers(1, 10**9),
    ms=st.integers(0, 366 * 24 * HOUR_MS),
)
def test_a_stopped_hour_never_costs_more_than_a_running_one(
    price: int, disk: int, hour: int, ms: int
) -> None:
    frozen = storage_price(price, disk, price_hour_microusd=hour)
    assert frozen <= price
    assert storage_cost(frozen, disk, ms) <= charge(hour, ms)


@given(price=st.integers(1, 10**7), amount=st.integers(0, 10**12))
def test_what_an_amount_pays_for_costs_no_more_than_it(price: int, amount: int) -> None:
    assert traffic_cost(price, traffic_bytes(amount, price)) <= amount
