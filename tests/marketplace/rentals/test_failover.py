"""A rental that does not come up goes to the next best machine as agreed, or nowhere."""

import json
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import ApiKey, SshKey, User
from marketplace.domain.failover import MACHINES_MAX, WITHIN
from marketplace.domain.problem import Refused
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.ledger.models import Hold
from marketplace.metering.actions.charge import charge_all
from marketplace.notices.actions.tell_rentals import tell_rentals
from marketplace.notices.models import Notice
from marketplace.offers.actions import refresh
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.placements.registry_login import unseal
from marketplace.rentals.actions import end
from marketplace.rentals.actions.fail_over import fail_over
from marketplace.rentals.actions.set_idle_rule import set_idle_rule
from marketplace.rentals.models import Failover, Rental
from protocol.agent import ObservedState, RegistryLogin
from tests.marketplace.broken import break_row
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market
from tests.marketplace.scene import NOW, after

__all__ = ["browser_of", "market", "renter"]
DEARER = CPU_HOUR_MICROUSD + CPU_HOUR_MICROUSD // 4


def price(found: Market, cpu_hour_microusd: int) -> None:
    """Have a CPU cost so much an hour there, as the searches know it."""
    Offer.objects.filter(pk=found.offer.pk).update(price_cpu_hour_microusd=cpu_hour_microusd)
    refresh.refresh(machine_id=found.machine.id, now=NOW)


@pytest.fixture
def other(market: Market, renter: Client, bob: User) -> Market:
    found = Market.open(bob)
    price(found, DEARER)
    return found


def fail(market: Market, rental: Rental, *, at: float = 2, problem: str = "start_failed") -> None:
    told = market.agent.observed(rental.placement_id, ObservedState.GONE, problem=problem)
    market.agent.sync(after(at), placements=[told])
    charge_all(now=after(at))


def wish(rental: Rental) -> Failover:
    return Failover.objects.get(rental=rental)


def test_the_next_best_machine_takes_it_over_for_no_more_in_all(
    market: Market, other: Market, alice: User
) -> None:
    login = RegistryLogin(username="a", password="secret")
    issue(user_id=alice.pk, name="t", now=NOW)
    key = ApiKey.objects.get()
    rental = market.rent(
        alice,
        failover_microusd=DEARER,
        name="mine",
        environment={"A": "b"},
        ports=(80,),
        command=("sleep", "1"),
        registry_login=login,
    )
    Hold.objects.filter(pk=rental.meter.hold_id).update(api_key_id=key.id)
    set_idle_rule(rental_id=rental.id, renter_id=alice.pk, after_s=600, below_percent=5, now=NOW)
    assert "secret" not in wish(rental).registry_login
    fail(market, rental)
    assert fail_over(now=after(3)) == 1
    successor = wish(rental).successor
    assert successor is not None
    assert successor.offer_id == other.offer.id
    assert successor.price_hour_microusd == DEARER
    assert successor.worst_total_microusd == rental.worst_total_microusd == CPU_HOUR_MICROUSD
    assert (successor.lease_s, successor.name) == (rental.lease_s, "mine")
    assert successor.placement.workload == rental.placement.workload
    assert successor.placement.authorized_keys == rental.placement.authorized_keys
    assert unseal(successor.placement.registry_login) == login
    assert wish(successor).first_started_at == rental.started_at
    assert successor.idle_rule.after_s == 600
    assert successor.meter.hold.api_key_id == key.id
    assert ledger.held(alice.pk) == CPU_HOUR_MICROUSD
    assert wish(rental).registry_login == ""
    assert fail_over(now=after(4)) == 0
    assert audit.audit() == []


def test_what_comes_up_stays_where_it_is(market: Market, other: Market, alice: User) -> None:
    login = RegistryLogin(username="a", password="secret")
    rental = market.rent(alice, failover_microusd=DEARER, registry_login=login)
    assert fail_over(now=after(1)) == 0
    assert wish(rental).settled_at is None
    market.run(rental, at=after(2))
    assert fail_over(now=after(4)) == 0
    assert wish(rental).settled_at == after(4)
    assert wish(rental).registry_login == ""
    fail(market, rental, at=5)
    assert fail_over(now=after(6)) == 0
    assert Rental.objects.count() == 1


@pytest.mark.parametrize("problem", ["image_unknown", "image_pull_failed"])
def test_what_no_machine_could_run_is_tried_on_no_other(
    market: Market, other: Market, alice: User, problem: str
) -> None:
    rental = market.rent(alice, failover_microusd=DEARER)
    fail(market, rental, problem=problem)
    assert fail_over(now=after(3)) == 0
    assert wish(rental).settled_at == after(3)
    assert Rental.objects.count() == 1


def test_what_its_renter_ended_is_taken_over_by_nobody(
    market: Market, other: Market, alice: User
) -> None:
    rental = market.rent(alice, failover_microusd=DEARER)
    end.end(rental_id=rental.id, renter_id=alice.pk, now=after(1))
    fail(market, rental)
    Placement.objects.filter(pk=rental.placement_id).update(blame="machine")
    assert fail_over(now=after(3)) == 0
    assert wish(rental).settled_at == after(3)
    assert ledger.held(alice.pk) == 0


def test_nobody_who_was_shut_out_rents_by_a_failover(
    market: Market, other: Market, alice: User
) -> None:
    rental = market.rent(alice, failover_microusd=DEARER)
    fail(market, rental)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert fail_over(now=after(3)) == 0
    assert Rental.objects.count() == 1


@pytest.mark.parametrize("extra", ["storage_price_microusd", "network_price_microusd"])
def test_a_machine_that_costs_more_beside_its_time_is_not_taken(
    market: Market, other: Market, alice: User, extra: str
) -> None:
    Offer.objects.filter(pk=other.offer.pk).update(**{extra: 10})
    rental = market.rent(alice, failover_microusd=DEARER)
    fail(market, rental)
    assert fail_over(now=after(3)) == 0
    assert wish(rental).problem_code == "no_offer"


def test_no_more_traffic_is_paid_for_than_was_agreed(
    market: Market, other: Market, alice: User
) -> None:
    Offer.objects.update(network_price_microusd=1_000)
    rental = market.rent(alice, failover_microusd=DEARER, traffic_bytes_max=5 * 10**9)
    fail(market, rental)
    assert fail_over(now=after(3)) == 1
    successor = wish(rental).successor
    assert successor is not None
    assert successor.meter.side.traffic_microusd_max == 5_000


def test_without_the_wish_nothing_is_taken_over(market: Market, other: Market, alice: User) -> None:
    fail(market, market.rent(alice))
    assert fail_over(now=after(3)) == 0
    assert Rental.objects.count() == 1


def test_nobody_waits_for_it_after_half_an_hour(market: Market, other: Market, alice: User) -> None:
    rental = market.rent(alice, failover_microusd=DEARER, lease_s=4 * 3600, cap_microusd=5_000_000)
    late = WITHIN.total_seconds() + 1
    fail(market, rental, at=late)
    assert fail_over(now=after(late)) == 0
    assert wish(rental).problem_code == ""
    assert Rental.objects.count() == 1


def test_a_machine_above_the_price_is_not_taken(market: Market, other: Market, alice: User) -> None:
    rental = market.rent(alice, failover_microusd=DEARER - 1)
    fail(market, rental)
    assert fail_over(now=after(3)) == 0
    assert wish(rental).problem_code == "no_offer"
    assert ledger.held(alice.pk) == 0


def test_each_machine_is_tried_once_and_three_at_most(
    market: Market, other: Market, alice: User, bob: User
) -> None:
    markets = {one.machine.id: one for one in (market, other)}
    for _ in range(MACHINES_MAX):
        more = Market.open(bob)
        price(more, DEARER)
        markets[more.machine.id] = more
    rental: Rental | None = market.rent(alice, failover_microusd=DEARER)
    second, machines = 2.0, []
    while rental is not None:
        machines.append(rental.placement.machine_id)
        fail(markets[rental.placement.machine_id], rental, at=second)
        fail_over(now=after(second + 1))
        rental, second = wish(rental).successor, second + 5
    assert len(machines) == len(set(machines)) == MACHINES_MAX
    assert ledger.balance(alice.pk) == 10_000_000
    assert audit.audit() == []


def test_money_that_is_gone_meanwhile_is_said_and_nothing_held(
    market: Market, other: Market, alice: User
) -> None:
    rental = market.rent(alice, failover_microusd=DEARER)
    fail(market, rental)
    market.rent(alice, lease_s=9_000)
    assert fail_over(now=after(3)) == 0
    assert wish(rental).problem_code == "insufficient_funds"


def test_a_key_that_was_removed_since_opens_nothing(
    market: Market, other: Market, alice: User
) -> None:
    rental = market.rent(alice, failover_microusd=DEARER)
    fail(market, rental)
    SshKey.objects.all().delete()
    assert fail_over(now=after(3)) == 0
    assert wish(rental).problem_code == "ssh_key_missing"


def test_one_that_cannot_be_taken_over_keeps_no_other_waiting(
    market: Market, other: Market, alice: User
) -> None:
    broken = market.rent(alice, failover_microusd=DEARER)
    sound = market.rent(alice, failover_microusd=DEARER)
    fail(market, broken)
    fail(market, sound)
    break_row(wish(broken))
    assert fail_over(now=after(3)) == 1
    assert wish(sound).successor is not None


@pytest.mark.parametrize("bound", [{"bid_microusd": 1_000_000}, {"price_type": "reserved"}])
def test_what_only_that_machine_can_give_is_refused(
    market: Market, renter: Client, alice: User, bound: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        market.rent(alice, failover_microusd=DEARER, **bound)
    assert refused.value.code == "failover_unfit"
    assert not Rental.objects.exists()


def test_the_same_key_with_another_failover_is_a_conflict(
    market: Market, renter: Client, alice: User
) -> None:
    market.rent(alice, idempotency_key="k", failover_microusd=DEARER)
    with pytest.raises(Refused) as refused:
        market.rent(alice, idempotency_key="k")
    assert refused.value.code == "idempotency_conflict"


def test_its_renter_is_told_where_it_went(market: Market, other: Market, alice: User) -> None:
    tell_rentals(now=NOW)
    rental = market.rent(alice, failover_microusd=DEARER)
    fail(market, rental)
    fail_over(now=after(3))
    assert tell_rentals(now=after(30)) == 1
    notice = Notice.objects.get(user=alice)
    successor = wish(rental).successor
    assert successor is not None
    assert f"Rental {str(successor.id)[:8]} on another machine took its place." in notice.text
    assert notice.data["successor_id"] == str(successor.id)


def test_the_api_takes_and_tells_it(market: Market, other: Market, alice: User) -> None:
    secret = issue(user_id=alice.pk, name="t", now=NOW).secret
    client = Client(headers={"authorization": f"Bearer {secret}"})
    asked = {
        "offer_id": str(market.offer.id),
        "image": "debian:12",
        "resources": {
            "cpu": {"count": 1},
            "gpu": {"count": 0},
            "ram": {"capacity": 1 << 30},
            "hard_disk": {"capacity": 2 << 30},
        },
        "lease_s": 3600,
        "failover_price_hour_microusd_max": DEARER,
    }
    made = client.post("/api/v1/rentals", json.dumps(asked), "application/json").json()
    assert made["failover"] == {
        "price_hour_microusd_max": DEARER,
        "settled": False,
        "successor_id": None,
        "problem_code": "",
    }
    rental = Rental.objects.get()
    fail(market, rental)
    fail_over(now=after(3))
    told = client.get(f"/api/v1/rentals/{rental.id}").json()["failover"]
    assert told["settled"] is True
    assert told["successor_id"] == str(wish(rental).successor_id)


def test_the_page_proposes_it_and_leads_to_the_successor(
    market: Market, other: Market, renter: Client, alice: User
) -> None:
    page = renter.get(rent_url(market))
    assert "for $4.50 an hour at most" in page.content.decode()
    renter.post(rent_url(market), filled(page))
    rental = Rental.objects.get()
    assert wish(rental).price_hour_microusd_max == DEARER
    fail(market, rental)
    fail_over(now=after(3))
    shown = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert f'href="/rentals/{wish(rental).successor_id}/"' in shown


def test_the_page_rents_without_it_where_it_is_not_wanted(market: Market, renter: Client) -> None:
    form = filled(renter.get(rent_url(market)))
    del form["failover"]
    renter.post(rent_url(market), form)
    assert not Failover.objects.exists()
    assert Rental.objects.count() == 1
