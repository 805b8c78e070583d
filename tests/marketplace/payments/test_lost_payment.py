"""A payment that Stripe took and that we did not hear of is found, whatever the clocks say."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.audit import audit
from marketplace.payments.actions.process_events import process_events
from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.actions.reconcile import reconcile
from marketplace.payments.actions.settle_dispute import look
from marketplace.payments.actions.settle_pending import settle_pending
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Difference, Dispute, Payer, TopUp
from scripts.stripe_stand_in.payments import Stripe
from tests.marketplace.payments.test_card_events import signed

SaveCard = Callable[..., Payer]
FIVE = MicroUsd(5_000_000)


def pay(user: User, at: datetime) -> TopUp:
    return top_up(user_id=user.pk, amount_microusd=FIVE, cause="t1", now=at)


@pytest.fixture
def lost(alice: User, with_card: SaveCard, stripe: Stripe, now: datetime) -> TopUp:
    """Return a payment whose answer was lost, while the card was charged."""
    with_card(alice)
    stripe.answers_lost = 1
    pending = pay(alice, now)
    assert (pending.state, pending.reference) == ("pending", "")
    return pending


def taken(stripe: Stripe) -> str:
    """Return Stripe's name of the one payment that it took."""
    (intent,) = stripe.all("payment_intent")
    assert intent.status == "succeeded"
    return str(intent.id)


def is_counted(person: User) -> bool:
    paid = TopUp.objects.get()
    assert audit() == []
    assert Difference.objects.count() == 0
    return (paid.state, paid.reference != "", ledger.balance(person.pk)) == ("paid", True, FIVE)


@pytest.mark.parametrize("clock_s", [-90_000, -400, 0, 400, 90_000])
def test_what_stripe_took_is_no_refusal_however_its_clock_goes(
    alice: User, with_card: SaveCard, stripe: Stripe, now: datetime, clock_s: int
) -> None:
    with_card(alice)
    stripe.at, stripe.answers_lost = now.timestamp() + clock_s, 1
    pay(alice, now)
    assert settle_pending(now=now + timedelta(hours=24, seconds=1)) == 1
    assert taken(stripe)
    assert is_counted(alice)


def test_asked_again_when_stripe_forgot_the_request_it_is_taken_once(
    alice: User, lost: TopUp, stripe: Stripe, now: datetime
) -> None:
    stripe.answered.clear()
    assert pay(alice, now + timedelta(hours=25)).pk == lost.pk
    assert taken(stripe)
    assert is_counted(alice)


def test_an_event_brings_it_in(alice: User, lost: TopUp, stripe: Stripe, now: datetime) -> None:
    for body, _ in stripe.told():
        receive_event(payload=body, signature=signed(body, now), now=now)
    process_events(now=now)
    assert is_counted(alice)


def test_stripes_books_bring_it_in(alice: User, lost: TopUp, stripe: Stripe, now: datetime) -> None:
    reconcile(now=now + timedelta(days=1))
    assert is_counted(alice)


def test_its_dispute_brings_it_in_and_freezes_it(
    alice: User, lost: TopUp, stripe: Stripe, now: datetime
) -> None:
    look(stripe.open_dispute(taken(stripe)), now=now)
    assert (Dispute.objects.get().top_up_id, ledger.frozen(alice.pk)) == (lost.pk, FIVE)
    assert (ledger.balance(alice.pk), Difference.objects.count()) == (0, 0)


def test_one_that_we_gave_up_is_brought_in_once(
    alice: User, lost: TopUp, stripe: Stripe, now: datetime
) -> None:
    TopUp.objects.update(state="refused", reason="Nothing was charged.", settled_at=now)
    for day in (1, 2):
        reconcile(now=now + timedelta(days=day))
    assert TopUp.objects.get().reason == ""
    assert is_counted(alice)


@pytest.mark.parametrize("metadata", [{}, {"top_up": "somebody's"}])
def test_one_that_somebody_else_asked_for_is_told(
    alice: User, lost: TopUp, stripe: Stripe, now: datetime, metadata: dict[str, str]
) -> None:
    stripe.get("payment_intent", taken(stripe)).metadata = metadata
    reconcile(now=now + timedelta(days=1))
    (told,) = Difference.objects.all()
    assert told.detail.endswith("We know no such payment.")
    assert ledger.balance(alice.pk) == 0
