"""Money moves once, wholly, and never out of an empty account."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import (
    AmountRefused,
    CauseReused,
    Entry,
    InsufficientFunds,
    post,
    post_together,
)
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Transfer

Give = Callable[[User, int], None]


def pay(payer: User, host: User, amount: int, cause: str, now: datetime) -> Transfer:
    return post(
        debit=open_account.wallet(user_id=payer.pk),
        credit=open_account.earnings(user_id=host.pk),
        amount_microusd=MicroUsd(amount),
        kind=TransferKind.CHARGE,
        cause=cause,
        now=now,
    )


def test_a_transfer_moves_money(alice: User, charlie: User, give: Give, now: datetime) -> None:
    give(alice, 100)
    pay(alice, charlie, 60, "rent:1", now)
    assert (queries.balance(alice.pk), queries.earned(charlie.pk)) == (40, 60)
    assert audit() == []


def test_the_same_cause_moves_money_once(
    alice: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    first = pay(alice, charlie, 60, "rent:1", now)
    again = pay(alice, charlie, 60, "rent:1", now + timedelta(days=1))
    assert (again.pk, again.at) == (first.pk, now)
    assert queries.balance(alice.pk) == 40


@pytest.mark.parametrize("amount", [59, 61])
def test_a_cause_cannot_stand_for_another_amount(
    alice: User, charlie: User, give: Give, now: datetime, amount: int
) -> None:
    give(alice, 200)
    pay(alice, charlie, 60, "rent:1", now)
    with pytest.raises(CauseReused):
        pay(alice, charlie, amount, "rent:1", now)
    assert queries.balance(alice.pk) == 140


def test_a_cause_cannot_stand_for_another_person(
    alice: User, bob: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    give(bob, 100)
    pay(alice, charlie, 60, "rent:1", now)
    with pytest.raises(CauseReused):
        pay(bob, charlie, 60, "rent:1", now)
    assert queries.balance(bob.pk) == 100


def test_nobody_spends_what_they_do_not_have(
    alice: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 59)
    with pytest.raises(InsufficientFunds):
        pay(alice, charlie, 60, "rent:1", now)
    assert (queries.balance(alice.pk), queries.earned(charlie.pk)) == (59, 0)
    assert not Transfer.objects.filter(cause="rent:1").exists()
    assert audit() == []


@pytest.mark.parametrize("amount", [0, -1, 10**18 + 1])
def test_an_amount_must_make_sense(alice: User, charlie: User, now: datetime, amount: int) -> None:
    with pytest.raises(AmountRefused):
        pay(alice, charlie, amount, "rent:1", now)


def test_an_account_cannot_pay_itself(alice: User, now: datetime) -> None:
    wallet = open_account.wallet(user_id=alice.pk)
    with pytest.raises(AmountRefused):
        post(
            debit=wallet,
            credit=wallet,
            amount_microusd=MicroUsd(1),
            kind=TransferKind.CHARGE,
            cause="x",
            now=now,
        )


def test_entries_are_posted_all_or_none(
    alice: User, bob: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    host = open_account.earnings(user_id=charlie.pk)
    entries = [
        Entry(open_account.wallet(user_id=payer.pk), host, MicroUsd(50), TransferKind.CHARGE, cause)
        for payer, cause in ((alice, "one"), (bob, "two"))
    ]
    with pytest.raises(InsufficientFunds):
        post_together(entries=entries, now=now)
    assert (queries.balance(alice.pk), queries.earned(charlie.pk)) == (100, 0)
    give(bob, 50)
    assert [row.cause for row in post_together(entries=entries, now=now)] == ["one", "two"]
    assert queries.earned(charlie.pk) == 100


def test_posting_again_with_one_entry_more_adds_only_that_one(
    alice: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    wallet = open_account.wallet(user_id=alice.pk)
    host = open_account.earnings(user_id=charlie.pk)
    entries = [
        Entry(wallet, host, MicroUsd(10), TransferKind.CHARGE, f"part:{part}") for part in range(3)
    ]
    post_together(entries=entries[:2], now=now)
    post_together(entries=entries, now=now)
    assert queries.earned(charlie.pk) == 30


def test_one_cause_twice_in_a_batch_is_refused(
    alice: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    wallet = open_account.wallet(user_id=alice.pk)
    host = open_account.earnings(user_id=charlie.pk)
    entry = Entry(wallet, host, MicroUsd(10), TransferKind.CHARGE, "part")
    with pytest.raises(CauseReused):
        post_together(entries=[entry, entry], now=now)
