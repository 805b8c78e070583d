"""What a market's prices say, and what they keep to themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.market_price import (
    OFFERING_HOSTS_MIN,
    OFFERS_MIN,
    PAID_HOSTS_MIN,
    Spread,
    earns,
    occupancy_ppm,
    offered,
    paid,
    unit_price,
)
from marketplace.domain.matching import Slice
from marketplace.domain.pricing import price_hour

GPU_BOX = Slice(cpus=64, memory_bytes=512, disk_bytes=4096, gpus=8)
CUTS = (100, 200, 300)


def test_few_offers_or_few_hosts_say_nothing_of_a_market() -> None:
    enough = {"prices": OFFERS_MIN, "hosts": OFFERING_HOSTS_MIN}
    assert offered(**enough, cuts_microusd=CUTS) == Spread(100, 200, 300, **enough)
    assert offered(**enough | {"prices": OFFERS_MIN - 1}, cuts_microusd=CUTS) is None
    assert offered(**enough | {"hosts": OFFERING_HOSTS_MIN - 1}, cuts_microusd=CUTS) is None


@pytest.mark.parametrize("lacks", range(3))
def test_what_is_not_offered_has_no_spread(lacks: int) -> None:
    cuts = [None if at == lacks else 1 for at in range(3)]
    assert offered(prices=9, hosts=9, cuts_microusd=(cuts[0], cuts[1], cuts[2])) is None


def test_what_few_hosts_are_paid_is_not_told() -> None:
    prices = {host: [1_000_000] for host in range(PAID_HOSTS_MIN)}
    assert paid(prices) is not None
    assert paid({**prices, 0: []}) is None, "a host that is paid nothing hides nobody"


def test_no_large_host_stands_for_all() -> None:
    prices = {host: [1_000_000 * (host + 1)] for host in range(5)}
    prices[4] = [9_000_000] * 1000
    found = paid(prices)
    assert found == Spread(1_000_000, 3_000_000, 9_000_000, prices=1004, hosts=5)


def test_what_is_paid_is_told_in_two_digits_only() -> None:
    found = paid({host: [1_234_567 + host] for host in range(5)})
    assert found is not None
    assert {found.p10_microusd, found.median_microusd, found.p90_microusd} == {1_200_000}
    small = paid({host: [7] for host in range(5)})
    assert small is not None
    assert small.median_microusd == 7


@given(st.integers(1, 10**9), st.integers(1, 8), st.integers(0, 64), st.integers(0, 512))
def test_a_slices_price_leads_back_to_its_units(
    unit: int, gpus: int, cpus: int, memory: int
) -> None:
    asked = Slice(cpus=cpus, memory_bytes=memory, disk_bytes=1, gpus=gpus)
    hour = price_hour(asked, total=GPU_BOX, price_unit_microusd=unit)
    found = unit_price(hour, asked, total=GPU_BOX)
    assert found is not None
    assert unit <= found <= unit + 1


def test_nothing_asked_for_says_nothing_of_a_unit() -> None:
    assert unit_price(100, Slice(0, 0, 0), total=GPU_BOX) is None
    assert unit_price(100, Slice(1, 1, 1), total=Slice(0, 0, 0)) is None


def test_what_a_price_earns_follows_use_and_fee() -> None:
    full = earns(1_000_000, units=2, occupancy_ppm=1_000_000, fee_ppm=0)
    assert full == 2 * 720 * 1_000_000
    assert earns(1_000_000, units=2, occupancy_ppm=500_000, fee_ppm=50_000) == full * 475 // 1000


@given(st.integers(0, 10**14), st.integers(1, 64), st.integers(1, 10**10))
def test_no_machine_is_more_than_full(used_ms: int, units: int, window_ms: int) -> None:
    found = occupancy_ppm(used_ms, units=units, window_ms=window_ms)
    assert 0 <= found <= 1_000_000
    assert (found == 1_000_000) is (used_ms >= units * window_ms)


def test_a_machine_that_just_came_is_empty() -> None:
    assert occupancy_ppm(5, units=1, window_ms=0) == 0
