"""The audit finds every way in which counters and transfers can disagree."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Model

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind, HoldState
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, CreditGrant, Hold

Give = Callable[[User, int], None]


def told(row: Model) -> str:
    """Return a row's id as the database writes it."""
    return str(row.pk) if connection.vendor == "postgresql" else row.pk.hex


@pytest.fixture
def wallet(alice: User, give: Give) -> Account:
    give(alice, 100)
    return open_account.wallet(user_id=alice.pk)


def test_a_sound_ledger_has_no_problems(wallet: Account) -> None:
    assert audit() == []


def test_money_from_nowhere_is_found(wallet: Account) -> None:
    Account.objects.filter(pk=wallet.pk).update(credits_posted=F("credits_posted") + 5)
    problems = audit()
    assert any(
        f"{told(wallet)} counts $0.000005 more in than moved." in problem for problem in problems
    )
    assert any("hold $0.000005 instead of nothing" in problem for problem in problems)


def test_what_disagrees_is_told_in_the_same_words_while_money_moves_on(
    alice: User, wallet: Account, give: Give
) -> None:
    Account.objects.filter(pk=wallet.pk).update(credits_posted=F("credits_posted") + 5)
    before = audit()
    give(alice, 7)
    assert audit() == before != []


def test_a_wrong_debit_counter_is_found_although_all_sums_to_zero(wallet: Account) -> None:
    Account.objects.filter(pk=wallet.pk).update(debits_posted=5, credits_posted=105)
    assert len(audit()) == 2


def test_a_hold_released_with_money_in_it_is_found(
    alice: User, wallet: Account, now: datetime
) -> None:
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(10), cause="r1", now=now)
    Hold.objects.filter(pk=placed.pk).update(released_at=now, state=HoldState.VOIDED)
    assert audit() == [f"Hold {told(placed)} was released but still holds $0.00001."]


def test_a_hold_that_is_posted_without_a_charge_is_found(
    alice: User, wallet: Account, now: datetime
) -> None:
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(10), cause="r1", now=now)
    hold.release(hold_id=placed.pk, cause="r1:end", now=now)
    assert audit() == []
    Hold.objects.filter(pk=placed.pk).update(state=HoldState.POSTED)
    assert audit() == [f"Hold {told(placed)} is posted, which its charges deny."]


def test_a_held_account_without_a_hold_is_found(alice: User, wallet: Account) -> None:
    lost = Account.objects.create(kind=AccountKind.HOLD, user=alice)
    assert audit() == [f"Account hold {told(lost)} with $0.00 has no hold."]


def test_what_a_hold_says_that_it_gave_back_is_held_against_what_moved(
    alice: User, wallet: Account, now: datetime
) -> None:
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(10), cause="r1", now=now)
    Hold.objects.filter(pk=placed.pk).update(returned_microusd=4)
    assert audit() == [
        "Holds count $0.000004 more as given back than moved.",
        f"Hold {told(placed)} gave $0.000004 back of $0.00 charged.",
    ]


def test_credit_that_no_grant_explains_is_found(alice: User, now: datetime) -> None:
    granted = grant_credit(
        user_id=alice.pk,
        amount_microusd=MicroUsd(10),
        expires_at=now + timedelta(days=1),
        cause="welcome",
        now=now,
    )
    assert audit() == []
    CreditGrant.objects.filter(pk=granted.pk).update(left_microusd=9)
    account = open_account.credit(user_id=alice.pk)
    assert audit() == [f"Account credit {told(account)} has $0.000001 more than its grants."]


def test_the_command_says_that_all_is_well(wallet: Account) -> None:
    out = StringIO()
    call_command("ledger_audit", stdout=out)
    assert out.getvalue() == "2 accounts agree with 1 transfers and sum to zero.\n"


def test_the_command_fails_on_a_problem(wallet: Account) -> None:
    Account.objects.filter(pk=wallet.pk).update(credits_posted=F("credits_posted") + 5)
    with pytest.raises(CommandError, match=r"counts \$0.000005 more in"):
        call_command("ledger_audit")
