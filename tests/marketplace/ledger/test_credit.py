"""Credit is spent before money, what ends soonest first, and goes back to where it came from."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries
from marketplace.ledger.actions import hold, open_account
from marketplace.ledger.actions.count_earned import NO_MACHINE
from marketplace.ledger.actions.grant_credit import CreditEndsTooSoon, expire_credit, grant_credit
from marketplace.ledger.actions.post import AmountRefused, CauseReused
from marketplace.ledger.audit import audit
from marketplace.ledger.models import CreditGrant, Hold, Transfer

Give = Callable[[User, int], None]
DAY = timedelta(days=1)


def grant(user: User, amount: int, *, now: datetime, days: int, cause: str = "") -> CreditGrant:
    return grant_credit(
        user_id=user.pk,
        amount_microusd=MicroUsd(amount),
        expires_at=now + days * DAY,
        cause=cause or f"{amount} for {days}",
        now=now,
    )


def place(user: User, amount: int, *, now: datetime, cause: str = "r") -> Hold:
    return hold.place(user_id=user.pk, amount_microusd=MicroUsd(amount), cause=cause, now=now)


def left(user: User, now: datetime) -> list[int]:
    return [one.left_microusd for one in queries.credit(user.pk, now=now)]


def promo() -> int:
    account = open_account.promo()
    account.refresh_from_db()
    return account.balance_microusd


def test_a_hold_takes_credit_first_and_of_it_what_ends_soonest(
    alice: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    grant(alice, 30, now=now, days=30)
    grant(alice, 20, now=now, days=7)
    assert (queries.balance(alice.pk), left(alice, now)) == (150, [20, 30])
    place(alice, 25, now=now)
    assert (queries.balance(alice.pk), queries.held(alice.pk)) == (125, 25)
    assert left(alice, now) == [25]
    place(alice, 60, now=now, cause="r2")
    assert (queries.balance(alice.pk), left(alice, now)) == (65, [])
    assert audit() == []


def test_a_charge_spends_credit_first_and_the_rest_goes_back_to_where_it_came_from(
    alice: User, charlie: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    grant(alice, 20, now=now, days=7)
    grant(alice, 30, now=now, days=30)
    placed = place(alice, 90, now=now)
    hold.capture(
        hold_id=placed.pk,
        amount_microusd=MicroUsd(35),
        host_user_id=charlie.pk,
        machine_id=NO_MACHINE,
        fee_microusd=MicroUsd(5),
        cause="c",
        now=now,
    )
    assert hold.release(hold_id=placed.pk, cause="end", now=now) == 55
    assert hold.release(hold_id=placed.pk, cause="end", now=now) == 55
    assert (queries.balance(alice.pk), left(alice, now)) == (115, [15])
    assert audit() == []


def test_credit_that_ended_while_it_was_held_goes_back_to_the_site(
    alice: User, give: Give, now: datetime
) -> None:
    give(alice, 100)
    grant(alice, 20, now=now, days=7)
    grant(alice, 30, now=now, days=30)
    placed = place(alice, 90, now=now)
    assert hold.release(hold_id=placed.pk, cause="end", now=now + 7 * DAY) == 70
    assert (queries.balance(alice.pk), promo()) == (130, -30)
    assert queries.statement(alice.pk)[0].kind == "expiry"
    assert audit() == []


def test_ended_credit_is_neither_shown_nor_held_and_goes_back(
    alice: User, give: Give, now: datetime
) -> None:
    give(alice, 10)
    grant(alice, 20, now=now, days=7)
    late = now + 7 * DAY
    assert left(alice, late) == []
    with pytest.raises(hold.InsufficientFunds):
        place(alice, 11, now=late)
    assert (expire_credit(now=late), expire_credit(now=late)) == (1, 0)
    assert (queries.balance(alice.pk), promo()) == (10, 0)
    assert audit() == []


def test_credit_that_comes_back_after_the_pass_ends_too(alice: User, now: datetime) -> None:
    grant(alice, 20, now=now, days=7)
    placed = place(alice, 5, now=now)
    expire_credit(now=now + 7 * DAY)
    # Another process whose clock is a moment behind gives it back as if it had not ended.
    hold.release(hold_id=placed.pk, cause="end", now=now + 6 * DAY)
    expire_credit(now=now + 7 * DAY)
    assert (queries.balance(alice.pk), promo()) == (0, 0)
    assert audit() == []


def test_a_hold_that_is_filled_by_credit_alone_is_replayed_and_charged_like_any(
    alice: User, now: datetime
) -> None:
    grant(alice, 20, now=now, days=7)
    assert place(alice, 20, now=now) == place(alice, 20, now=now)
    with pytest.raises(CauseReused):
        place(alice, 19, now=now)
    assert (queries.balance(alice.pk), queries.held(alice.pk)) == (0, 20)


def test_a_refused_hold_takes_no_credit(alice: User, now: datetime) -> None:
    grant(alice, 20, now=now, days=7)
    with pytest.raises(hold.InsufficientFunds):
        place(alice, 21, now=now)
    assert (queries.balance(alice.pk), left(alice, now)) == (20, [20])
    assert not Hold.objects.exists()


def test_bob_cannot_spend_the_credit_of_alice(alice: User, bob: User, now: datetime) -> None:
    grant(alice, 20, now=now, days=7)
    with pytest.raises(hold.InsufficientFunds):
        place(bob, 1, now=now)


def test_a_cause_grants_once(alice: User, bob: User, now: datetime) -> None:
    first = grant(alice, 20, now=now, days=7, cause="welcome")
    assert grant(alice, 20, now=now, days=7, cause="welcome") == first
    assert grant(alice, 20, now=now + 8 * DAY, days=-1, cause="welcome") == first
    for user, amount in ((bob, 20), (alice, 21)):
        with pytest.raises(CauseReused):
            grant(user, amount, now=now, days=7, cause="welcome")
    assert Transfer.objects.count() == 1


def test_credit_must_be_some_and_end_later(alice: User, now: datetime) -> None:
    with pytest.raises(CreditEndsTooSoon):
        grant(alice, 20, now=now, days=0)
    for amount in (0, -5):
        with pytest.raises(AmountRefused):
            grant(alice, amount, now=now, days=1)
    assert not CreditGrant.objects.exists()


def test_an_expiring_hold_is_given_back_when_it_ends(
    alice: User, give: Give, now: datetime
) -> None:
    give(alice, 10)
    hold.place(
        user_id=alice.pk, amount_microusd=MicroUsd(4), cause="h", expires_at=now + DAY, now=now
    )
    place(alice, 5, now=now)
    assert hold.release_expired(now=now) == 0
    assert (hold.release_expired(now=now + DAY), hold.release_expired(now=now + DAY)) == (1, 0)
    assert (queries.balance(alice.pk), queries.held(alice.pk)) == (5, 5)
    assert {one.cause: one.state for one in Hold.objects.all()} == {"h": "voided", "r": "pending"}


def test_the_command_gives_credit_until_the_end_of_a_day(alice: User) -> None:
    out = StringIO()
    for _ in range(2):
        call_command(
            "grant_credit", "alice@example.com", "5", until="2099-12-31", cause="x", stdout=out
        )
    told = "alice@example.com has $5.00 of credit until 2100-01-01 00:00 UTC.\n"
    assert out.getvalue() == told * 2
    assert queries.balance(alice.pk) == 5_000_000


@pytest.mark.parametrize(
    ("email", "usd", "until"),
    [
        ("nobody@example.com", "5", "2099-12-31"),
        ("alice@example.com", "-5", "2099-12-31"),
        ("alice@example.com", "5", "2020-01-01"),
        ("alice@example.com", "5", "2099-02-31"),
        ("alice@example.com", "5", "soon"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(
    alice: User, email: str, usd: str, until: str
) -> None:
    with pytest.raises(CommandError):
        call_command("grant_credit", email, usd, until=until)
    assert not CreditGrant.objects.exists()
