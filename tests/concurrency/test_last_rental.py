from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.matching import OfferTaken
from marketplace.domain.money import MicroUsd
from marketplace.ledger import audit, queries
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.machines.actions import lock
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement
from marketplace.rentals.actions import end, extend
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState
from protocol.hardware import Resources
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import GIB, NOW, after, user

RENTERS = 50
GIFT_MICROUSD = 100_000_000
WHOLE = Resources.of(cpus=4, ram_bytes=GIB, disk_bytes=2 * GIB)
Race = Callable[[list[Callable[[], object]]], list[object]]


@pytest.fixture
def market() -> Market:
    return Market.open(user())


def renter(number: int) -> User:
    made = user(f"renter{number}@example.org")
    give_key(made)
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=made.pk),
        amount_microusd=MicroUsd(GIFT_MICROUSD),
        kind=TransferKind.TOP_UP,
        cause=f"gift:{made.pk}",
        now=NOW,
    )
    return made


def test_fifty_renters_of_the_last_machine_get_one_rental_and_one_hold(
    market: Market, race: Race
) -> None:
    renters = [renter(number) for number in range(RENTERS)]
    outcomes = race([partial(market.rent, one, resources=WHOLE) for one in renters])
    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds == {"Rental": 1, "OfferTaken": RENTERS - 1}
    assert (Rental.objects.count(), Placement.objects.count()) == (1, 1)
    assert Machine.objects.get().cpus_free == 0
    worst = Rental.objects.get().worst_total_microusd
    assert sum(queries.held(one.pk) for one in renters) == worst
    assert sum(queries.balance(one.pk) for one in renters) == RENTERS * GIFT_MICROUSD - worst
    assert audit.audit() == []


def test_who_comes_too_late_hears_so_while_somebody_else_holds_the_machine(
    market: Market, race: Race
) -> None:
    first, late = renter(1), renter(2)
    rental = market.rent(first, resources=WHOLE)

    def ask() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        return market.rent(late, resources=WHOLE)

    with transaction.atomic():
        lock.lock(machine_id=rental.placement.machine_id)
        (outcome,) = race([ask])
    assert isinstance(outcome, OfferTaken)
    assert queries.held(late.pk) == 0


def test_one_click_sent_twenty_times_is_one_rental(market: Market, race: Race) -> None:
    alice = renter(1)
    outcomes = race([partial(market.rent, alice, idempotency_key="click")] * 20)
    assert {getattr(outcome, "id", outcome) for outcome in outcomes} == {Rental.objects.get().id}
    assert queries.held(alice.pk) == Rental.objects.get().worst_total_microusd


def test_a_sync_with_seconds_a_stop_and_a_new_rental_at_once_all_succeed(
    market: Market, race: Race
) -> None:
    alice, agent = renter(1), market.agent
    small = Resources.of(cpus=1, ram_bytes=1 << 27, disk_bytes=1 << 30)
    for round_number in range(10):
        start = after(round_number * 30)
        rental = market.rent(alice, now=start, resources=small, lease_s=600)
        market.run(rental, at=after(round_number * 30 + 1))
        agent.chain.clear()
        later = after(round_number * 30 + 11)
        report = agent.observed(rental.placement_id, ObservedState.RUNNING, run=1, age_ms=10_000)
        seconds = agent.count(rental.placement_id, 0, 10_000)
        outcomes = race(
            [
                partial(agent.sync, later, placements=[report], intervals=[seconds]),
                partial(end.end, rental_id=rental.id, renter_id=alice.pk, now=later),
                partial(market.rent, alice, now=later, resources=small, lease_s=600),
            ]
        )
        assert [one for one in outcomes if isinstance(one, Exception)] == []
        for it in Rental.objects.filter(placement__ended_at__isnull=True):
            end.end(rental_id=it.id, renter_id=alice.pk, now=later)
            market.end(it, at=later)
    assert audit.audit() == []


def test_one_click_sent_six_times_for_the_last_of_it_is_one_rental(
    market: Market, race: Race
) -> None:
    alice = renter(1)
    # The whole machine for nearly all of her money: a second one of either does not exist.
    ask = partial(market.rent, alice, idempotency_key="click", resources=WHOLE, lease_s=20_000)
    outcomes = race([ask] * 6)
    assert {getattr(outcome, "id", outcome) for outcome in outcomes} == {Rental.objects.get().id}
    assert audit.audit() == []


def test_one_extend_click_sent_six_times_extends_once(market: Market, race: Race) -> None:
    alice = renter(1)
    rental = market.rent(alice, lease_s=600)
    ask = partial(
        extend.extend,
        rental_id=rental.id,
        renter_id=alice.pk,
        asked=extend.Asked(more_s=600),
        idempotency_key="click",
        now=NOW,
    )
    outcomes = race([ask] * 6)
    assert {getattr(outcome, "lease_s", outcome) for outcome in outcomes} == {1200}
    assert queries.held(alice.pk) == Rental.objects.get().worst_total_microusd == 1_200_000
    assert audit.audit() == []
