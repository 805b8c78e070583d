"""Money set aside can only be charged or given back."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.actions.post import AmountRefused, CauseReused, InsufficientFunds
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, Hold

Give = Callable[[User, int], None]


@pytest.fixture
def placed(alice: User, give: Give, now: datetime) -> Hold:
    """One of Alice's ten dollars is set aside."""
    give(alice, 10_000_000)
    return hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1_000_000), cause="r1", now=now)


def fees() -> int:
    return Account.objects.get(pk=open_account.fees().pk).balance_microusd


def test_held_money_leaves_the_wallet(alice: User, placed: Hold) -> None:
    assert (queries.balance(alice.pk), queries.held(alice.pk)) == (9_000_000, 1_000_000)
    assert Account.objects.get(hold=placed).balance_microusd == 1_000_000


def test_placing_again_for_the_same_cause_returns_the_same_hold(
    alice: User, placed: Hold, now: datetime
) -> None:
    again = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1_000_000), cause="r1", now=now)
    assert again.pk == placed.pk
    assert queries.held(alice.pk) == 1_000_000


def test_a_cause_cannot_stand_for_another_persons_hold(
    bob: User, give: Give, placed: Hold, now: datetime
) -> None:
    give(bob, 5_000_000)
    with pytest.raises(CauseReused):
        hold.place(user_id=bob.pk, amount_microusd=MicroUsd(1_000_000), cause="r1", now=now)


def test_a_cause_cannot_stand_for_another_amount(alice: User, placed: Hold, now: datetime) -> None:
    with pytest.raises(CauseReused):
        hold.place(user_id=alice.pk, amount_microusd=MicroUsd(2_000_000), cause="r1", now=now)


def test_nothing_is_left_behind_when_the_wallet_is_too_small(alice: User, now: datetime) -> None:
    with pytest.raises(InsufficientFunds):
        hold.place(user_id=alice.pk, amount_microusd=MicroUsd(1), cause="r1", now=now)
    assert not Hold.objects.exists()
    assert not Account.objects.filter(kind="hold").exists()


def test_more_can_be_held(alice: User, placed: Hold, now: datetime) -> None:
    for _ in range(2):
        hold.increase(
            hold_id=placed.pk, amount_microusd=MicroUsd(500_000), cause="r1:more", now=now
        )
    assert queries.held(alice.pk) == 1_500_000


def test_more_cannot_be_held_than_there_is(alice: User, placed: Hold, now: datetime) -> None:
    with pytest.raises(InsufficientFunds):
        hold.increase(hold_id=placed.pk, amount_microusd=MicroUsd(9_000_001), cause="more", now=now)


def test_a_charge_goes_to_the_host_but_for_the_fee(
    alice: User, charlie: User, placed: Hold, now: datetime
) -> None:
    for _ in range(2):
        hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(100),
            host_user_id=charlie.pk,
            machine_id=NO_MACHINE,
            fee_microusd=MicroUsd(7),
            cause="i1",
            now=now,
        )
    assert (queries.earned(charlie.pk), fees(), queries.held(alice.pk)) == (93, 7, 999_900)
    assert audit() == []


@pytest.mark.parametrize(("fee", "earned"), [(0, 100), (100, 0)])
def test_a_charge_may_have_no_fee_or_be_nothing_else(
    charlie: User, placed: Hold, now: datetime, fee: int, earned: int
) -> None:
    hold.capture(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(100),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(fee),
        cause="i1",
        now=now,
    )
    assert (queries.earned(charlie.pk), fees()) == (earned, fee)


@pytest.mark.parametrize(("amount", "fee"), [(0, 0), (-1, 0), (5, 6), (5, -1)])
def test_a_charge_must_make_sense(
    charlie: User, placed: Hold, now: datetime, amount: int, fee: int
) -> None:
    with pytest.raises(AmountRefused):
        hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(amount),
            host_user_id=charlie.pk,
            machine_id=NO_MACHINE,
            fee_microusd=MicroUsd(fee),
            cause="i1",
            now=now,
        )


def test_no_more_is_charged_than_was_held(charlie: User, placed: Hold, now: datetime) -> None:
    with pytest.raises(InsufficientFunds):
        hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(1_000_001),
            host_user_id=charlie.pk,
            machine_id=NO_MACHINE,
            fee_microusd=MicroUsd(10),
            cause="i1",
            now=now,
        )
    assert (queries.earned(charlie.pk), fees()) == (0, 0)


def test_what_was_not_charged_comes_back_once(
    alice: User, charlie: User, placed: Hold, now: datetime
) -> None:
    hold.capture(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(400_000),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(0),
        cause="i1",
        now=now,
    )
    later = now + timedelta(hours=1)
    returned = [hold.release(hold_id=placed.pk, cause="r1:end", now=later) for _ in range(2)]
    assert returned == [600_000, 600_000]
    assert (queries.balance(alice.pk), queries.held(alice.pk)) == (9_600_000, 0)
    assert Hold.objects.get().released_at == later
    assert audit() == []


def test_a_hold_that_was_used_up_gives_nothing_back(
    charlie: User, placed: Hold, now: datetime
) -> None:
    hold.capture(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(1_000_000),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(0),
        cause="i1",
        now=now,
    )
    assert hold.release(hold_id=placed.pk, cause="r1:end", now=now) == 0
    assert hold.release(hold_id=placed.pk, cause="r1:end", now=now) == 0


def test_a_released_hold_takes_no_new_charge_but_repeats_an_old_answer(
    charlie: User, placed: Hold, now: datetime
) -> None:
    def charge(cause: str) -> object:
        return hold.capture(
            hold_id=placed.pk,
            amount_microusd=MicroUsd(5),
            host_user_id=charlie.pk,
            machine_id=NO_MACHINE,
            fee_microusd=MicroUsd(1),
            cause=cause,
            now=now,
        )

    first = charge("i1")
    hold.release(hold_id=placed.pk, cause="r1:end", now=now)
    assert charge("i1") == first
    with pytest.raises(hold.HoldReleased):
        charge("i2")
    with pytest.raises(hold.HoldReleased):
        hold.increase(hold_id=placed.pk, amount_microusd=MicroUsd(5), cause="more", now=now)
