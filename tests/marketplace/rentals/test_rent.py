"""Starting a rental: what is held, and every refusal that charges nothing."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.ledger import audit, queries
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from protocol.hardware import Resources
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key

Give = Callable[..., None]


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Give) -> User:
    give(alice, 10_000_000)
    give_key(alice)
    return alice


def test_the_worst_total_is_held_and_the_placement_offered(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=1800)
    assert rental.worst_total_microusd == CPU_HOUR_MICROUSD // 2
    assert queries.balance(renter.pk) == 10_000_000 - CPU_HOUR_MICROUSD // 2
    assert queries.held(renter.pk) == CPU_HOUR_MICROUSD // 2
    assert rental.placement.state == "offered"
    assert Machine.objects.get().cpus_free == 3


def test_a_dollar_cap_bounds_the_time(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=None, cap_microusd=1_000_000)
    assert rental.worst_total_microusd == 1_000_000
    assert rental.placement.funded_until == scene.after(1000)


def test_the_same_key_starts_it_once(market: Market, renter: User) -> None:
    first = market.rent(renter, idempotency_key="k")
    assert market.rent(renter, idempotency_key="k").id == first.id
    assert Rental.objects.count() == 1
    with pytest.raises(Refused) as refused:
        market.rent(renter, idempotency_key="k", image="other")
    assert refused.value.code == "idempotency_conflict"


BIG = Resources.of(cpus=64, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)
TINY = Resources.of(cpus=0, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"lease_s": 36_000}, "insufficient_funds"),
        ({"resources": BIG}, "exceeds_machine"),
        ({"resources": TINY}, "too_small"),
        ({"lease_s": None}, "limit_missing"),
        ({"lease_s": 40 * 86_400}, "term_too_long"),
        ({"bid_microusd": CPU_HOUR_MICROUSD}, "bids_not_taken"),
        ({"price_hour_microusd_max": CPU_HOUR_MICROUSD - 1}, "price_raised"),
        ({"lease_s": None, "cap_microusd": 1_000, "price_hour_microusd_max": 0}, "price_raised"),
        ({"offer_id": uuid4()}, "not_found"),
        ({"ssh_key_ids": [uuid4()]}, "not_found"),
    ],
)
def test_a_refusal_names_its_code_and_changes_nothing(
    market: Market, renter: User, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        market.rent(renter, **changed)
    assert refused.value.code == code
    assert refused.value.detail.endswith(".")
    assert_nothing_happened(renter)


def test_without_a_key_nothing_starts(market: Market, alice: User, give: Give) -> None:
    give(alice, 10_000_000)
    with pytest.raises(Refused) as refused:
        market.rent(alice)
    assert refused.value.code == "ssh_key_missing"
    assert_nothing_happened(alice)


def test_an_unverified_machine_is_refused(charlie: User, renter: User) -> None:
    with pytest.raises(Refused) as refused:
        Market.open(charlie, verified=False).rent(renter)
    assert refused.value.code == "machine_unverified"


def test_a_silent_machine_is_refused(market: Market, renter: User) -> None:
    Machine.objects.update(online=False)
    with pytest.raises(Refused) as refused:
        market.rent(renter)
    assert refused.value.code == "machine_offline"
    assert_nothing_happened(renter)


def test_what_somebody_else_took_is_refused(market: Market, renter: User) -> None:
    three = Resources.of(cpus=3, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)
    two = Resources.of(cpus=2, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)
    market.rent(renter, resources=three, lease_s=60)
    with pytest.raises(Refused) as refused:
        market.rent(renter, resources=two, lease_s=60)
    assert refused.value.code == "offer_taken"


def assert_nothing_happened(renter: User) -> None:
    assert queries.held(renter.pk) == 0
    assert queries.balance(renter.pk) == 10_000_000
    assert not Placement.objects.exists()
    assert Machine.objects.get().cpus_free == Machine.objects.get().cpus_total
    assert audit.audit() == []


@pytest.mark.parametrize(
    "image",
    ["../containers", "a/../b", ".", "-v", "https://example.org/a", "two words", "a\x00b", "a\n"],
)
def test_what_is_no_image_name_is_refused(market: Market, renter: User, image: str) -> None:
    with pytest.raises(Refused) as refused:
        market.rent(renter, image=image)
    assert refused.value.code == "image_unknown"
    assert queries.held(renter.pk) == 0


def test_a_bid_below_the_hosts_floor_is_refused(market: Market, renter: User) -> None:
    Offer.objects.update(bid_floor_microusd=CPU_HOUR_MICROUSD // 2)
    with pytest.raises(Refused) as refused:
        market.rent(renter, bid_microusd=CPU_HOUR_MICROUSD // 2 - 1)
    assert refused.value.code == "bid_below_floor"
    assert_nothing_happened(renter)


def test_a_bid_above_the_price_pays_the_price(market: Market, renter: User) -> None:
    Offer.objects.update(bid_floor_microusd=0)
    rental = market.rent(renter, bid_microusd=2 * CPU_HOUR_MICROUSD)
    assert rental.meter.price_hour_microusd == CPU_HOUR_MICROUSD


def test_the_agreed_price_is_paid(market: Market, renter: User) -> None:
    rental = market.rent(renter, price_hour_microusd_max=CPU_HOUR_MICROUSD)
    assert rental.meter.price_hour_microusd == CPU_HOUR_MICROUSD


def test_one_cpu_with_all_the_memory_costs_the_whole_machine(market: Market, renter: User) -> None:
    greedy = Resources.of(cpus=1, ram_bytes=8 * scene.GIB, disk_bytes=2 * scene.GIB)
    rental = market.rent(renter, resources=greedy, lease_s=60)
    assert rental.meter.price_hour_microusd == 4 * CPU_HOUR_MICROUSD


def test_the_smallest_price_sets_something_aside(market: Market, renter: User) -> None:
    Offer.objects.update(price_cpu_hour_microusd=1)
    assert market.rent(renter, lease_s=60).worst_total_microusd == 1
    assert queries.held(renter.pk) == 1


def test_a_cap_that_pays_for_no_second_is_refused(market: Market, renter: User) -> None:
    with pytest.raises(Refused) as refused:
        market.rent(renter, lease_s=None, cap_microusd=999)
    assert refused.value.code == "term_too_short"
    assert_nothing_happened(renter)


def test_a_bid_for_two_is_not_won_by_the_floor_of_one(market: Market, renter: User) -> None:
    floor = CPU_HOUR_MICROUSD // 2
    Offer.objects.update(bid_floor_microusd=floor)
    two = Resources.of(cpus=2, ram_bytes=1 << 30, disk_bytes=1 << 30)
    with pytest.raises(Refused) as refused:
        market.rent(renter, resources=two, bid_microusd=floor)
    assert refused.value.code == "bid_below_floor"
    rental = market.rent(renter, resources=two, bid_microusd=2 * floor)
    assert rental.meter.price_hour_microusd == 2 * floor
