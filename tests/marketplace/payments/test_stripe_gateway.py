"""Stripe's answers mean what the marketplace takes them for, by the unmodified library."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.audit import audit
from marketplace.payments.actions import save_card
from marketplace.payments.actions.settle_pending import settle_pending
from marketplace.payments.actions.top_up import CardNeeded, top_up
from marketplace.payments.models import Difference, Payer, TopUp
from scripts.stripe_stand_in.payments import (
    CONFIRMED_BUT_DECLINED,
    DECLINED_LATER,
    VISA,
    WANTS_CONFIRMATION,
    Stripe,
)

SaveCard = Callable[..., Payer]
FIVE = MicroUsd(5_000_000)


def pay(user: User, now: datetime, *, cause: str = "t1", amount: int = FIVE) -> TopUp:
    return top_up(user_id=user.pk, amount_microusd=MicroUsd(amount), cause=cause, now=now)


def test_a_saved_card_pays_at_once(alice: User, with_card: SaveCard, now: datetime) -> None:
    payer = with_card(alice)
    assert payer.card_text == "visa 4242, 12/2030"
    paid = pay(alice, now)
    assert (paid.state, paid.gateway, paid.reference[:3]) == ("paid", "stripe", "pi_")
    assert ledger.balance(alice.pk) == FIVE
    assert [line.kind for line in ledger.statement(alice.pk)] == ["top_up"]
    assert audit() == []


def test_without_a_card_nothing_is_asked(alice: User, stripe: Stripe, now: datetime) -> None:
    with pytest.raises(CardNeeded, match="Save a card"):
        pay(alice, now)
    assert (stripe.asked, TopUp.objects.count()) == ([], 0)


def test_a_lost_answer_is_asked_for_again_and_pays_once(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice)
    stripe.answers_lost = 1
    assert pay(alice, now).state == "pending"
    assert settle_pending(now=now + timedelta(minutes=2)) == 1
    assert len(stripe.all("payment_intent")) == 1
    assert ledger.balance(alice.pk) == FIVE


def test_a_declined_card_adds_nothing(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice, DECLINED_LATER)
    refused = pay(alice, now)
    assert (refused.state, refused.reason) == ("refused", "Your card was declined.")
    assert pay(alice, now).pk == refused.pk
    assert ledger.balance(alice.pk) == 0


@pytest.mark.parametrize(
    ("number", "success", "state"),
    [
        (WANTS_CONFIRMATION, True, "paid"),
        (WANTS_CONFIRMATION, False, "refused"),
        (CONFIRMED_BUT_DECLINED, True, "refused"),
    ],
)
def test_a_bank_that_wants_a_confirmation_is_waited_for(
    alice: User,
    with_card: SaveCard,
    stripe: Stripe,
    now: datetime,
    number: str,
    success: bool,
    state: str,
) -> None:
    with_card(alice, number)
    waiting = pay(alice, now)
    assert waiting.state == "pending"
    assert waiting.confirm_url == f"{stripe.url}/_confirm/{waiting.reference}"
    settle_pending(now=now + timedelta(minutes=2))
    assert ledger.balance(alice.pk) == 0
    stripe.confirm(waiting.reference, success=success)
    assert settle_pending(now=now + timedelta(minutes=4)) == 1
    waiting.refresh_from_db()
    assert (waiting.state, waiting.confirm_url) == (state, "")
    assert ledger.balance(alice.pk) == (FIVE if state == "paid" else 0)
    last = "succeeded" if state == "paid" else "canceled"
    assert stripe.get("payment_intent", waiting.reference).status == last


@pytest.mark.parametrize("answer_lost", [True, False])
def test_what_nobody_confirms_for_a_day_is_never_taken(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime, answer_lost: bool
) -> None:
    with_card(alice, WANTS_CONFIRMATION)
    stripe.answers_lost = int(answer_lost)
    pay(alice, now)
    later = now + timedelta(hours=24, seconds=1)
    assert settle_pending(now=later) == 1
    assert TopUp.objects.get().state == "refused"
    assert [made.status for made in stripe.all("payment_intent")] == ["canceled"]


def test_what_never_reached_stripe_is_refused_after_a_day(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice)
    stripe.is_down = True
    assert pay(alice, now).state == "pending"
    stripe.is_down = False
    settle_pending(now=now + timedelta(hours=25))
    assert TopUp.objects.get().state == "refused"
    assert stripe.all("payment_intent") == []


def test_stripe_down_for_an_hour_loses_nothing(
    alice: User, bob: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    for person in (alice, bob):
        with_card(person)
    stripe.is_down = True
    for number in range(5):
        assert pay(alice, now, cause=f"a{number}").state == "pending"
    pay(bob, now, cause="b")
    asked = len(stripe.asked)
    for minute in range(2, 60, 3):
        assert settle_pending(now=now + timedelta(minutes=minute)) == 0
    # A pass gives up after three silences: six of them would be a minute of waiting.
    assert len(stripe.asked) - asked <= 3 * 20
    stripe.is_down = False
    assert settle_pending(now=now + timedelta(hours=2)) == 6
    assert (ledger.balance(alice.pk), ledger.balance(bob.pk)) == (5 * FIVE, FIVE)
    assert audit() == []


@pytest.mark.parametrize(("what", "value"), [("currency", "eur"), ("amount", 400)])
def test_another_currency_or_amount_than_asked_adds_nothing_and_is_told(
    alice: User,
    with_card: SaveCard,
    stripe: Stripe,
    now: datetime,
    caplog: pytest.LogCaptureFixture,
    what: str,
    value: object,
) -> None:
    with_card(alice, WANTS_CONFIRMATION)
    waiting = pay(alice, now)
    stripe.confirm(waiting.reference)
    setattr(stripe.get("payment_intent", waiting.reference), what, value)
    for minute in (2, 4, 60 * 25):
        settle_pending(now=now + timedelta(minutes=minute))
    assert TopUp.objects.get().state == "pending"
    assert ledger.balance(alice.pk) == 0
    assert [(row.kind, row.reference) for row in Difference.objects.all()] == [
        ("payment_does_not_fit", str(waiting.pk))
    ]
    assert caplog.messages.count("books differ") == 1


def test_a_newer_card_replaces_the_older_one_in_whatever_order_we_hear_of_them(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    payer = with_card(alice)
    stripe.at += 10
    newer = stripe.save_card(payer.customer, DECLINED_LATER)
    for _ in range(2):
        save_card.refresh(customer=payer.customer)
        payer.refresh_from_db()
        assert (payer.card, payer.card_text) == (newer, "visa 0341, 12/2030")
    assert [card.customer for card in stripe.all("payment_method")] == [None, payer.customer]


def test_a_removed_card_pays_nothing_more(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    with_card(alice, VISA)
    save_card.remove_card(user_id=alice.pk)
    assert [card.customer for card in stripe.all("payment_method")] == [None]
    with pytest.raises(CardNeeded):
        pay(alice, now)


def test_a_card_that_was_removed_meanwhile_is_refused_in_words(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime
) -> None:
    payer = with_card(alice)
    for card in stripe.all("payment_method"):
        card.customer = None
    refused = pay(alice, now)
    assert refused.state == "refused"
    assert "Save the card anew" in refused.reason
    assert payer.card == refused.card
