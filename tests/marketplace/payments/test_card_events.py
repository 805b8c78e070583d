"""What Stripe tells us is a hint: signed, kept as it came, and of one effect however it comes."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.payments.actions.process_events import process_events
from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import Payer, TopUp, WebhookEvent
from scripts.stripe_stand_in.keys import WEBHOOK_SECRET
from scripts.stripe_stand_in.payments import WANTS_CONFIRMATION, Stripe

SaveCard = Callable[..., Payer]
FIVE = MicroUsd(5_000_000)


def signed(body: bytes, at: datetime, *, secret: str = WEBHOOK_SECRET) -> str:
    """Return Stripe's signature. Source: docs.stripe.com/webhooks, "Verify manually"."""
    seconds = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={mac.hexdigest()}"


@pytest.fixture
def confirmed(alice: User, with_card: SaveCard, stripe: Stripe, now: datetime) -> TopUp:
    """Return a payment that its bank wanted confirmed and that was, unknown to us so far."""
    with_card(alice, WANTS_CONFIRMATION)
    waiting = top_up(user_id=alice.pk, amount_microusd=FIVE, cause="t1", now=now)
    stripe.confirm(waiting.reference)
    return waiting


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def post(body: bytes, signature: str) -> int:
    reply = Client(enforce_csrf_checks=True).post(
        "/stripe/events",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )
    return reply.status_code


def test_a_web_hook_as_it_is_sent_settles_the_payment(
    alice: User, confirmed: TopUp, stripe: Stripe, at_noon: None, now: datetime
) -> None:
    hooks = [(body, name) for body, name in stripe.told() if b"payment_intent.succeeded" in body]
    assert [post(body, signature) for body, signature in hooks * 2] == [204, 204]
    kept = WebhookEvent.objects.get()
    assert (kept.type, kept.payload.encode()) == ("payment_intent.succeeded", hooks[0][0])
    assert ledger.balance(alice.pk) == 0
    assert process_events(now=now) == 1
    assert process_events(now=now) == 0
    assert ledger.balance(alice.pk) == FIVE
    assert WebhookEvent.objects.get().processed_at == now


def test_a_card_that_is_saved_is_heard_of(
    alice: User, with_card: SaveCard, stripe: Stripe, at_noon: None, now: datetime
) -> None:
    payer = with_card(alice)
    Payer.objects.update(card="", card_text="")
    hooks = [hook for hook in stripe.told() if b"setup_intent.succeeded" in hook[0]]
    assert [post(*hook) for hook in hooks] == [204]
    process_events(now=now)
    assert Payer.objects.get().card == payer.card


@pytest.mark.parametrize(
    ("secret", "age"),
    [
        ("whsec_forged", timedelta()),
        ("", timedelta()),
        (WEBHOOK_SECRET, timedelta(days=365)),
        (WEBHOOK_SECRET, timedelta(seconds=301)),
        (WEBHOOK_SECRET, timedelta(seconds=-301)),
    ],
)
def test_what_is_forged_or_signed_long_ago_is_not_kept(
    confirmed: TopUp, stripe: Stripe, at_noon: None, now: datetime, secret: str, age: timedelta
) -> None:
    body = stripe.told()[-1][0]
    assert post(body, signed(body, now - age, secret=secret)) == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("signature", ["", "t=,v1=", "t=1", "v1=ab", "t=9999999999999999,v1=ab"])
def test_what_has_no_signature_is_not_kept(stripe: Stripe, at_noon: None, signature: str) -> None:
    assert post(b"{}", signature) == 400


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"id": "e", "type": "t", "created": 1, "data": {}}']
)
def test_what_is_signed_but_no_event_is_not_kept(
    db: None, stripe: Stripe, at_noon: None, now: datetime, body: bytes
) -> None:
    assert post(body, signed(body, now)) == 400
    assert not WebhookEvent.objects.exists()


def test_an_event_of_last_year_that_is_sent_anew_changes_nothing_by_its_words(
    alice: User, confirmed: TopUp, stripe: Stripe, at_noon: None, now: datetime
) -> None:
    body = json.loads(stripe.told()[-1][0])
    body["created"] -= 365 * 86_400
    body["data"]["object"]["amount"] = 99_999_900
    text = json.dumps(body).encode()
    assert post(text, signed(text, now)) == 204
    process_events(now=now)
    assert ledger.balance(alice.pk) == FIVE


def test_an_event_waits_for_a_processor_that_is_away(
    alice: User, confirmed: TopUp, stripe: Stripe, now: datetime
) -> None:
    for body, _ in stripe.told():
        receive_event(payload=body, signature=signed(body, now), now=now)
    stripe.is_down = True
    process_events(now=now)
    waiting = WebhookEvent.objects.exclude(error="").get()
    assert (waiting.attempts, waiting.due_at) == (1, now + timedelta(seconds=10))
    stripe.is_down = False
    process_events(now=now + timedelta(seconds=10))
    assert ledger.balance(alice.pk) == FIVE
    assert not WebhookEvent.objects.filter(processed_at=None).exists()


def test_an_event_that_cannot_be_read_holds_up_no_other(
    alice: User, confirmed: TopUp, stripe: Stripe, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    for body, _ in stripe.told():
        receive_event(payload=body, signature=signed(body, now), now=now)
    broken = {"id": "evt_0", "type": "x", "payload": "{}", "due_at": now - timedelta(days=1)}
    WebhookEvent.objects.create(**broken, created_at=now, received_at=now)
    process_events(now=now)
    assert ledger.balance(alice.pk) == FIVE
    assert WebhookEvent.objects.get(pk="evt_0").attempts == 1
    assert "card event not processed" in caplog.messages


def test_a_site_without_cards_takes_no_events(client: Client, db: None) -> None:
    assert post(b"{}", "t=1,v1=ab") == 409
    assert client.get("/stripe/events").status_code == 405
