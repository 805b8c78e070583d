"""Many at once on one wallet: exactly what it holds is spent, and one cause happens once."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pytest

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.actions.post import Entry, InsufficientFunds, post, post_together
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Hold, Transfer

pytestmark = pytest.mark.django_db(transaction=True)

Give = Callable[[User, int], None]
AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]
THREADS = 16


def test_holds_never_take_more_than_the_wallet_has(
    transactional_db: None, alice: User, give: Give, at_once: AtOnce, now: datetime
) -> None:
    give(alice, 5)

    def place(number: int) -> Callable[[], object]:
        return lambda: hold.place(
            user_id=alice.pk, amount_microusd=MicroUsd(1), cause=f"r{number}", now=now
        )

    outcomes = at_once([place(number) for number in range(THREADS)])
    assert sum(isinstance(outcome, Hold) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, InsufficientFunds) for outcome in outcomes) == THREADS - 5
    assert (queries.balance(alice.pk), queries.held(alice.pk)) == (0, 5)
    assert audit() == []


def test_one_cause_places_one_hold_and_everyone_gets_it(
    transactional_db: None, alice: User, give: Give, at_once: AtOnce, now: datetime
) -> None:
    give(alice, 1)
    outcomes = at_once(
        [lambda: hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1), cause="r", now=now).pk]
        * THREADS
    )
    assert set(outcomes) == {Hold.objects.get().pk}
    assert audit() == []


def test_one_cause_moves_money_once_and_everyone_hears_the_same(
    transactional_db: None,
    alice: User,
    charlie: User,
    give: Give,
    at_once: AtOnce,
    now: datetime,
) -> None:
    # Exactly enough for one: the losers meet an empty wallet and must still be told of success.
    give(alice, 3)
    wallet = open_account.wallet(user_id=alice.pk)
    host = open_account.earnings(user_id=charlie.pk)

    def pay() -> object:
        return post(
            debit=wallet,
            credit=host,
            amount_microusd=MicroUsd(3),
            kind=TransferKind.CHARGE,
            cause="rent",
            now=now,
        ).pk

    outcomes = at_once([pay] * THREADS)
    assert set(outcomes) == {Transfer.objects.get(cause="rent").pk}
    assert queries.earned(charlie.pk) == 3
    assert audit() == []


def test_sets_that_share_causes_post_each_cause_once(
    transactional_db: None,
    alice: User,
    charlie: User,
    give: Give,
    at_once: AtOnce,
    now: datetime,
) -> None:
    # Of each set one half is in the set before it, and the other in the one after it.
    give(alice, THREADS + 1)
    wallet = open_account.wallet(user_id=alice.pk)
    host = open_account.earnings(user_id=charlie.pk)

    def pay(first: int) -> Callable[[], object]:
        entries = [
            Entry(wallet, host, MicroUsd(1), TransferKind.CHARGE, f"part:{part}")
            for part in (first, first + 1)
        ]
        return lambda: [(row.cause, row.pk) for row in post_together(entries=entries, now=now)]

    outcomes = at_once([pay(number) for number in range(THREADS)])
    numbers = dict(Transfer.objects.filter(credit=host).values_list("cause", "pk"))
    assert outcomes == [
        [(cause, numbers[cause]) for cause in (f"part:{first}", f"part:{first + 1}")]
        for first in range(THREADS)
    ]
    assert (queries.balance(alice.pk), queries.earned(charlie.pk)) == (0, THREADS + 1)
    assert audit() == []


def test_money_going_round_in_both_directions_does_not_deadlock(
    transactional_db: None, alice: User, bob: User, give: Give, at_once: AtOnce, now: datetime
) -> None:
    give(alice, 100)
    give(bob, 100)
    wallets = [open_account.wallet(user_id=user.pk) for user in (alice, bob)]

    def swing(number: int) -> Callable[[], object]:
        payer, payee = wallets if number % 2 else reversed(wallets)
        return lambda: [
            post(
                debit=payer,
                credit=payee,
                amount_microusd=MicroUsd(1),
                kind=TransferKind.REFUND,
                cause=f"swing:{number}:{turn}",
                now=now,
            ).pk
            for turn in range(5)
        ]

    outcomes = at_once([swing(number) for number in range(THREADS)])
    assert all(isinstance(outcome, list) for outcome in outcomes), outcomes
    assert (queries.balance(alice.pk), queries.balance(bob.pk)) == (100, 100)
    assert audit() == []


def test_a_charge_and_a_release_at_once_lose_nothing(
    transactional_db: None,
    alice: User,
    charlie: User,
    give: Give,
    at_once: AtOnce,
    now: datetime,
) -> None:
    give(alice, 1000)
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1000), cause="r", now=now)

    def charge(number: int) -> Callable[[], object]:
        return lambda: hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(10),
            host_user_id=charlie.pk,
            machine_id=NO_MACHINE,
            fee_microusd=MicroUsd(1),
            cause=f"c{number}",
            now=now,
        )

    def release() -> object:
        return hold.release(hold_id=placed.pk, cause="end", now=now)

    outcomes = at_once([*(charge(number) for number in range(8)), release, release])
    charged = sum(isinstance(outcome, list) for outcome in outcomes)
    refused = sum(isinstance(outcome, hold.HoldReleased) for outcome in outcomes)
    assert charged + refused == 8
    assert outcomes[-2:] == [1000 - 10 * charged] * 2
    assert queries.held(alice.pk) == 0
    assert queries.balance(alice.pk) == 1000 - 10 * charged
    assert queries.earned(charlie.pk) == 9 * charged
    assert audit() == []
