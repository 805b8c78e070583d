"""Holds that ended are given back in sets, and each comes out as if it were alone."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.spending import Period
from marketplace.ledger import queries
from marketplace.ledger.actions import hold, open_account, spend_limit
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.actions.post import post
from marketplace.ledger.audit import audit
from marketplace.ledger.models import CreditGrant, Hold, Transfer

Give = Callable[[User, int], None]
AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]
DAY = timedelta(days=1)


def place(user: User, amount: int, cause: str, now: datetime) -> Hold:
    return hold.place(
        user_id=user.pk,
        amount_microusd=MicroUsd(amount),
        cause=cause,
        expires_at=now + DAY,
        now=now,
    )


def grant(user: User, amount: int, days: int, now: datetime) -> None:
    grant_credit(
        user_id=user.pk,
        amount_microusd=MicroUsd(amount),
        expires_at=now + days * DAY,
        cause=f"{amount}",
        now=now,
    )


def bound(user: User, period: Period, now: datetime) -> None:
    spend_limit.set_limit(user_id=user.pk, period=period, limit_microusd=1000, now=now)


@pytest.mark.django_db
@pytest.mark.parametrize("together", [1, 2, 100])
def test_credit_and_limits_come_out_the_same_however_many_are_released_together(
    together: int,
    alice: User,
    charlie: User,
    give: Give,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold, "EXPIRED_AT_ONCE", together)
    give(alice, 100)
    give(charlie, 50)
    grant(alice, 30, 1, now)
    grant(alice, 21, 9, now)
    bound(alice, Period.DAY, now)
    bound(alice, Period.MONTH, now)
    first = place(alice, 25, "a", now)
    place(alice, 10, "b", now)
    place(alice, 40, "c", now)
    place(charlie, 7, "d", now)
    hold.capture(
        hold_id=first.pk,
        amount_microusd=MicroUsd(20),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(2),
        cause="use",
        now=now,
    )
    assert hold.release_expired(now=now + DAY) == 4
    # Of the grant that ended 5 of the first and 5 of the second; of the other one 5 and 16.
    assert list(CreditGrant.objects.values_list("left_microusd", "expired_microusd")) == [
        (0, 10),
        (21, 0),
    ]
    assert (queries.balance(alice.pk), queries.balance(charlie.pk)) == (100 + 21, 50)
    assert [row.counted_microusd for row in spend_limit.limits(alice.pk, now + DAY)] == [0, 20]
    assert {one.cause: one.state for one in Hold.objects.all()} == {
        "a": "posted",
        "b": "voided",
        "c": "voided",
        "d": "voided",
    }
    ended = Transfer.objects.filter(kind=TransferKind.EXPIRY)
    assert [one.amount_microusd for one in ended] == [5, 5]
    assert (hold.release_expired(now=now + DAY), audit()) == (0, [])


@pytest.mark.django_db
def test_a_broken_hold_keeps_no_other_from_its_owner(
    alice: User, give: Give, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    give(alice, 100)
    held = [place(alice, 10, f"{number}", now) for number in range(5)]
    # Somebody moved something else by the name of its release.
    post(
        debit=open_account.wallet(user_id=alice.pk),
        credit=open_account.fees(),
        amount_microusd=MicroUsd(1),
        kind=TransferKind.FEE,
        cause=f"hold:{held[2].pk}:expired",
        now=now,
    )
    assert hold.release_expired(now=now + DAY) == 5
    assert list(Hold.objects.filter(released_at=None)) == [held[2]]
    assert (queries.balance(alice.pk), caplog.messages) == (89, ["Hold not released"])
    assert audit() == []


@pytest.mark.django_db
def test_many_take_as_many_statements_as_few(alice: User, give: Give, now: datetime) -> None:
    give(alice, 1000)
    grant(alice, 20, 9, now)
    bound(alice, Period.DAY, now)
    took = []
    for count in (3, 30):
        for number in range(count):
            place(alice, 9, f"{count}:{number}", now)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert hold.release_expired(now=now + DAY) == count
        took.append(len(captured))
    assert took[0] == took[1]


@pytest.mark.django_db(transaction=True)
def test_passes_at_once_give_each_back_once(
    alice: User, give: Give, now: datetime, at_once: AtOnce
) -> None:
    give(alice, 100)
    held = [place(alice, 10, f"{number}", now) for number in range(10)]
    at_once(
        [
            lambda: hold.release_expired(now=now + DAY),
            lambda: hold.release(hold_id=held[4].pk, cause="mine", now=now + DAY),
        ]
        * 4
    )
    assert (queries.balance(alice.pk), queries.held(alice.pk), audit()) == (100, 0, [])
    assert Transfer.objects.filter(kind=TransferKind.RELEASE).count() == 10
