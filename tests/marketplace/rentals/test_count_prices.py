"""What is told of a market's prices: enough of them, and nobody's own."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.scope import Scope
from marketplace.machines.models import Machine
from marketplace.offers.models import KindPrice, Offer
from marketplace.rentals.actions.count_prices import count_prices
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after

HOSTS = 5


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return Market.open(charlie)


def offers_of(market: Market, hosts: int) -> list[Offer]:
    """Put copies of the machine up for rent, each by another host and a cent dearer."""
    made = []
    for number in range(1, hosts + 1):
        machine = Machine.objects.get(pk=market.machine.pk)
        machine.pk, machine.machine_key = UUID(int=number), f"{number:064x}"
        machine.host = scene.user(f"host-{number}@example.org")
        machine.save(force_insert=True)
        offer = Offer.objects.get(pk=market.offer.pk)
        offer.pk, offer.machine = UUID(int=number), machine
        offer.price_hour_microusd += number * 10_000
        offer.save(force_insert=True)
        made.append(offer)
    return made


def rented(alice: User, hosts: int) -> list[Market]:
    """Let Alice rent of so many hosts, each a cent dearer than the one before."""
    made = []
    for number in range(1, hosts + 1):
        one = Market.open(scene.user(f"paid-{number}@example.org"))
        price = CPU_HOUR_MICROUSD + number * 10_000
        Offer.objects.filter(pk=one.offer.pk).update(price_cpu_hour_microusd=price)
        one.run(one.rent(alice), at=after(2))
        made.append(one)
    return made


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    give_key(alice)
    return alice


def told() -> KindPrice | None:
    count_prices(now=after(10))
    return KindPrice.objects.first()


def test_each_cut_is_a_price_that_somebody_asks(market: Market) -> None:
    offers_of(market, 9)
    row = told()
    assert row is not None
    assert (row.offers, row.hosts, row.gpu_model) == (10, 10, "")
    cuts = (row.offered_p10_microusd, row.offered_median_microusd, row.offered_p90_microusd)
    assert cuts == tuple(CPU_HOUR_MICROUSD + step * 10_000 for step in (0, 4, 8))


def test_of_few_offers_nothing_is_told(market: Market) -> None:
    offers_of(market, 3)
    assert told() is None
    Machine.objects.update(host=market.machine.host)
    offers_of_one = Offer.objects.count()
    assert offers_of_one == 4
    assert told() is None


def test_five_offers_of_two_hosts_are_no_market(market: Market) -> None:
    made = offers_of(market, 5)
    Machine.objects.exclude(pk=made[0].machine_id).update(host=market.machine.host)
    assert told() is None


@pytest.mark.parametrize("hidden", [{"private": True}, {"listed": False}, {"verified_until": None}])
def test_what_not_everybody_can_rent_is_not_counted(
    market: Market, hidden: dict[str, object]
) -> None:
    offers_of(market, 4)
    assert told() is not None
    Offer.objects.filter(pk=market.offer.pk).update(**hidden)
    assert told() is None, "four are left, and the row of before is gone"


def test_who_is_offline_offers_nothing(market: Market) -> None:
    offers_of(market, 4)
    Machine.objects.filter(pk=market.machine.pk).update(online=False)
    assert told() is None


def test_what_is_paid_is_told_of_five_hosts_and_more(market: Market, renter: User) -> None:
    offers_of(market, HOSTS)
    rented(renter, HOSTS - 1)
    row = told()
    assert row is not None
    assert (row.paid_median_microusd, row.rentals) == (None, 0)


def test_what_is_paid_is_rounded_and_nobodys_own(market: Market, renter: User) -> None:
    rented(renter, HOSTS)
    row = told()
    assert row is not None
    assert (row.rentals, row.paid_hosts) == (HOSTS, HOSTS)
    cuts = (row.paid_p10_microusd, row.paid_median_microusd, row.paid_p90_microusd)
    assert cuts == (3_600_000, 3_600_000, 3_600_000), "of $3.61 to $3.65"


def test_neither_private_deals_nor_ones_own_machine_are_what_is_paid(
    market: Market, renter: User
) -> None:
    made = rented(renter, HOSTS + 1)
    Machine.objects.filter(pk=made[0].machine.pk).update(host=renter)
    row = told()
    assert row is not None
    assert row.paid_hosts == HOSTS
    Offer.objects.filter(pk=made[1].offer.pk).update(private=True)
    row = told()
    assert row is not None
    assert (row.paid_hosts, row.paid_median_microusd) == (0, None)


def test_a_host_reads_where_its_price_stands_and_what_another_would_earn(
    market: Market, charlie: User
) -> None:
    offers_of(market, 9)
    count_prices(now=NOW)
    key = issue(user_id=charlie.pk, name="script", now=NOW).secret
    path = f"/api/v1/host/machines/{market.machine.id}/market"
    client = Client(headers={"Authorization": f"Bearer {key}"})
    reply = client.get(path).json()
    assert reply["offered"]["prices"] == 10
    assert reply["paid"] is None
    assert (reply["occupancy_ppm"], reply["earns_microusd"]) == (0, 0)
    assert reply["price_unit_microusd"] == CPU_HOUR_MICROUSD
    asked = client.get(path, {"price_unit_microusd": 5}).json()
    assert asked["price_unit_microusd"] == 5
    assert client.get(path, {"price_unit_microusd": 0}).status_code == 422
    assert client.get(path, {"price_unit_microusd": 10**12}).status_code == 422


def test_a_machines_market_is_for_its_host_alone(market: Market, bob: User, charlie: User) -> None:
    path = f"/api/v1/host/machines/{market.machine.id}/market"
    assert Client().get(path).status_code == 401
    bobs = issue(user_id=bob.pk, name="script", now=NOW).secret
    other = Client(headers={"Authorization": f"Bearer {bobs}"})
    assert other.get(path).json()["code"] == "not_found"
    narrow = issue(user_id=charlie.pk, name="narrow", now=NOW, scopes=[Scope.RENTALS_READ]).secret
    refused = Client(headers={"Authorization": f"Bearer {narrow}"}).get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
