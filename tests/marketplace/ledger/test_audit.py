"""The audit finds every way in which counters and transfers can disagree."""

from collections.abc import Callable
from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, Hold

Give = Callable[[User, int], None]


@pytest.fixture
def wallet(alice: User, give: Give) -> Account:
    give(alice, 100)
    return open_account.wallet(user_id=alice.pk)


def test_a_sound_ledger_has_no_problems(wallet: Account) -> None:
    assert audit() == []


def test_money_from_nowhere_is_found(wallet: Account) -> None:
    Account.objects.filter(pk=wallet.pk).update(credits_posted=F("credits_posted") + 5)
    problems = audit()
    assert any(f"{wallet.pk} counts 105 in, not 100" in problem for problem in problems)
    assert any("hold $0.000005 instead of nothing" in problem for problem in problems)


def test_a_wrong_debit_counter_is_found_although_all_sums_to_zero(wallet: Account) -> None:
    Account.objects.filter(pk=wallet.pk).update(debits_posted=5, credits_posted=105)
    assert len(audit()) == 2


def test_a_hold_released_with_money_in_it_is_found(
    alice: User, wallet: Account, now: datetime
) -> None:
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(10), cause="r1", now=now)
    Hold.objects.filter(pk=placed.pk).update(released_at=now)
    assert audit() == [f"Hold {placed.pk} was released but still holds $0.00001."]


def test_the_command_says_that_all_is_well(wallet: Account) -> None:
    out = StringIO()
    call_command("ledger_audit", stdout=out)
    assert out.getvalue() == "2 accounts agree with 1 transfers and sum to zero.\n"


def test_the_command_fails_on_a_problem(wallet: Account) -> None:
    Account.objects.filter(pk=wallet.pk).update(credits_posted=F("credits_posted") + 5)
    with pytest.raises(CommandError, match="105"):
        call_command("ledger_audit")
