"""What is given back of a charge is what it was: money as money, credit as credit."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.accounts.models import User
from marketplace.domain.given_back import Shares
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries, returns
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.actions.grant_credit import expire_credit, grant_credit
from marketplace.ledger.actions.post import AmountRefused, CauseReused, post
from marketplace.ledger.actions.return_charge import credit_ended, return_charge
from marketplace.ledger.actions.return_charge import left as can_come_back
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, CreditGrant, Hold, Transfer

Give = Callable[[User, int], None]
DAY = timedelta(days=1)


@pytest.fixture
def placed(alice: User, give: Give, now: datetime) -> Hold:
    """90 held: 20 of credit for a week, 30 for a month, 40 of money."""
    give(alice, 100)
    for amount, days in ((20, 7), (30, 30)):
        grant_credit(
            user_id=alice.pk,
            amount_microusd=MicroUsd(amount),
            expires_at=now + days * DAY,
            cause=str(amount),
            now=now,
        )
    return hold.place(user_id=alice.pk, amount_microusd=MicroUsd(90), cause="r", now=now)


def charge(placed: Hold, host: User, amount: int, *, now: datetime, cause: str = "c") -> None:
    hold.capture(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(amount),
        host_user_id=host.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(amount // 10),
        cause=cause,
        now=now,
    )


def back(placed: Hold, host: User, amount: int, *, now: datetime, cause: str = "b") -> Shares:
    return return_charge(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(amount),
        fee_microusd=MicroUsd(amount // 10),
        host_user_id=host.pk,
        cause=cause,
        note="why",
        now=now,
    )


def wallet(user: User) -> int:
    return Account.objects.get(user=user, kind="wallet").balance_microusd


def left(user: User, now: datetime) -> list[int]:
    return [one.left_microusd for one in queries.credit(user.pk, now=now)]


def fees() -> int:
    return Account.objects.get(kind="fees").balance_microusd


def test_money_comes_back_first_and_then_the_credit_that_ends_last(
    placed: Hold, alice: User, charlie: User, now: datetime
) -> None:
    charge(placed, charlie, 60, now=now)
    assert back(placed, charlie, 50, now=now) == Shares(MicroUsd(45), MicroUsd(5))
    # 10 of money was spent, and then 30 of what ends in a month, 10 of what ends in a week.
    assert (wallet(alice), left(alice, now)) == (60 + 10, [10, 30])
    assert (queries.earned(charlie.pk), fees()) == (54 - 45, 6 - 5)
    # Nothing went into the hold.
    assert queries.held(alice.pk) == 30
    hold.release(hold_id=placed.pk, cause="end", now=now)
    assert (wallet(alice), left(alice, now)) == (60 + 10 + 30, [10, 30])
    assert audit() == []


def test_what_was_given_back_is_not_given_back_again(
    placed: Hold, alice: User, charlie: User, now: datetime
) -> None:
    charge(placed, charlie, 60, now=now)
    back(placed, charlie, 50, now=now)
    with pytest.raises(CauseReused):
        back(placed, charlie, 50, now=now)
    for amount in (11, 0):
        with pytest.raises(AmountRefused):
            back(placed, charlie, amount, now=now, cause="b2")
    assert (wallet(alice), left(alice, now)) == (70, [10, 30])
    hold.release(hold_id=placed.pk, cause="end", now=now)
    back(placed, charlie, 10, now=now, cause="b3")
    assert (wallet(alice), left(alice, now)) == (100, [20, 30])
    with pytest.raises(AmountRefused):
        back(placed, charlie, 1, now=now, cause="b4")
    assert audit() == []


def test_credit_that_has_ended_does_not_come_back_and_nobody_gives_for_it(
    placed: Hold, alice: User, charlie: User, now: datetime
) -> None:
    charge(placed, charlie, 60, now=now)
    later = now + 8 * DAY
    # 20 of the 60 was credit for a week; 30 for a month and 10 of money can come back.
    assert (can_come_back(placed, now=later), credit_ended(placed, now=later)) == (40, 20)
    with pytest.raises(AmountRefused):
        back(placed, charlie, 41, now=later)
    assert back(placed, charlie, 40, now=later) == Shares(MicroUsd(36), MicroUsd(4))
    assert (wallet(alice), left(alice, later)) == (70, [30])
    placed.refresh_from_db()
    assert (can_come_back(placed, now=later), credit_ended(placed, now=later)) == (0, 20)
    with pytest.raises(AmountRefused):
        back(placed, charlie, 1, now=later, cause="b2")
    assert {one.kind for one in Transfer.objects.filter(note="why")} == {"refund"}
    assert queries.earned(charlie.pk) == 54 - 36
    hold.release(hold_id=placed.pk, cause="end", now=later)
    expire_credit(now=later)
    placed.refresh_from_db()
    assert (can_come_back(placed, now=later), credit_ended(placed, now=later)) == (0, 20)
    assert audit() == []


def test_what_earnings_do_not_have_the_site_bears(
    placed: Hold, alice: User, charlie: User, now: datetime
) -> None:
    charge(placed, charlie, 60, now=now)
    post(
        debit=open_account.earnings(user_id=charlie.pk),
        credit=open_account.outside(),
        amount_microusd=MicroUsd(50),
        kind=TransferKind.PAYOUT,
        cause="p",
        now=now,
    )
    assert back(placed, charlie, 50, now=now) == Shares(MicroUsd(4), MicroUsd(46))
    assert (queries.earned(charlie.pk), fees()) == (0, 6 - 46)
    assert audit() == []


def sooner(user: User, amount: int, now: datetime) -> None:
    """Give credit that ends before all other."""
    grant_credit(
        user_id=user.pk,
        amount_microusd=MicroUsd(amount),
        expires_at=now + DAY,
        cause="sooner",
        now=now,
    )


def test_what_came_back_is_not_left_over_once_credit_that_ends_sooner_is_held(
    placed: Hold, alice: User, charlie: User, now: datetime
) -> None:
    charge(placed, charlie, 90, now=now)
    back(placed, charlie, 50, now=now)
    assert (wallet(alice), left(alice, now)) == (60 + 40, [10])
    # The 40 that stay charged are the sooner credit's now, and what is held of the others is free.
    sooner(alice, 40, now)
    hold.increase(hold_id=placed.pk, amount_microusd=MicroUsd(40), cause="more", now=now)
    placed.refresh_from_db()
    late = now + 2 * DAY
    assert (can_come_back(placed, now=late), credit_ended(placed, now=late)) == (0, 40)
    hold.release(hold_id=placed.pk, cause="end", now=now)
    assert (wallet(alice), left(alice, now)) == (100, [20, 30])
    back(placed, charlie, 40, now=now, cause="b2")
    assert (wallet(alice), left(alice, now)) == (100, [40, 20, 30])
    assert audit() == []


def test_money_that_came_back_is_not_asked_for_again(
    alice: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 50)
    placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(50), cause="r", now=now)
    charge(placed, charlie, 50, now=now)
    back(placed, charlie, 50, now=now)
    sooner(alice, 40, now)
    hold.increase(hold_id=placed.pk, amount_microusd=MicroUsd(40), cause="more", now=now)
    charge(placed, charlie, 10, now=now, cause="c2")
    back(placed, charlie, 10, now=now, cause="b2")
    assert (wallet(alice), left(alice, now)) == (50, [10])
    hold.release(hold_id=placed.pk, cause="end", now=now)
    assert (wallet(alice), left(alice, now)) == (50, [40])
    assert audit() == []


#: days of credit, or that pass; micro-USD of all else
WHAT = ("charge", "charge", "back", "back", "more", "credit", "later", "release")
steps = st.tuples(st.sampled_from(WHAT), st.integers(1, 40))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=4, max_size=20))
def test_nobody_gets_back_more_than_was_spent_of_each(
    alice: User, charlie: User, give: Give, now: datetime, history: list[tuple[str, int]]
) -> None:
    def credit(days: int, cause: str) -> None:
        amount, ends = MicroUsd(5 + days), now + days * DAY
        grant_credit(
            user_id=alice.pk, amount_microusd=amount, expires_at=ends, cause=cause, now=now
        )

    def returned(amount: int, cause: str) -> None:
        placed.refresh_from_db()
        most = can_come_back(placed, now=now)
        assert most >= 0 <= credit_ended(placed, now=now)
        if most:
            back(placed, charlie, min(amount, most), now=now, cause=cause)

    with transaction.atomic():
        give(alice, 1000)
        credit(20, "a")
        placed = hold.place(user_id=alice.pk, amount_microusd=MicroUsd(60), cause="r", now=now)
        for number, (what, amount) in enumerate([*history, ("release", 0), ("back", 5000)]):
            cause = str(number)
            placed.refresh_from_db()
            is_open = placed.released_at is None
            if what == "credit":
                credit(amount, cause)
            elif what == "later":
                now += amount * DAY / 4
                expire_credit(now=now)
            elif what == "back":
                returned(amount, cause)
            elif what == "release":
                hold.release(hold_id=placed.pk, cause="end", now=now)
            elif what == "more" and is_open:
                hold.increase(
                    hold_id=placed.pk, amount_microusd=MicroUsd(amount), cause=cause, now=now
                )
            elif what == "charge" and is_open and (held := queries.held(alice.pk)):
                charge(placed, charlie, min(amount, held), now=now, cause=cause)
            # Each grant has what it gave, at most: its row allows no more.
            assert 0 <= wallet(alice) <= 1000
            assert audit() == []
        # All that can come back did: what is missing is credit that ended.
        missing = CreditGrant.objects.filter(
            expires_at__gt=now, amount_microusd__gt=F("left_microusd")
        )
        assert (wallet(alice), list(missing)) == (1000, [])
        transaction.set_rollback(True)


def test_a_return_has_no_more_parts_than_its_line_adds_up(
    placed: Hold, bob: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(placed, bob, 90, now=now)
    monkeypatch.setattr(returns, "NEXT", returns.NEXT[:1])
    with pytest.raises(IndexError):
        back(placed, bob, 60, now=now)
    assert not Transfer.objects.filter(kind=TransferKind.REFUND).exists()
    monkeypatch.undo()
    back(placed, bob, 60, now=now)
    made = Transfer.objects.filter(kind=TransferKind.REFUND).order_by("id")
    assert tuple(made.values_list("cause", flat=True)) == returns.causes("b")
