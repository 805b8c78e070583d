"""What Stripe told long ago is emptied, and telling it again still has one effect."""

import json
from datetime import datetime, timedelta

import pytest

from marketplace.payments.actions import forget_events as forgetting
from marketplace.payments.actions.forget_events import forget_events
from marketplace.payments.actions.process_events import process_events
from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.models import TopUp, WebhookEvent
from scripts.stripe_stand_in.payments import Stripe
from tests.marketplace.payments.test_card_events import confirmed, signed

__all__ = ["confirmed"]
OLD = timedelta(days=400, seconds=1)


def test_an_old_event_is_emptied_and_told_again_changes_nothing(
    confirmed: TopUp, stripe: Stripe, now: datetime
) -> None:
    for body, _ in stripe.told():
        receive_event(payload=body, signature=signed(body, now), now=now)
    process_events(now=now)
    told = WebhookEvent.objects.count()
    assert forget_events(now=now + OLD - timedelta(seconds=1)) == 0
    assert (forget_events(now=now + OLD), forget_events(now=now + OLD)) == (told, 0)
    before = list(WebhookEvent.objects.values())
    assert {one["payload"] for one in before} == {""}
    assert {one["processed_at"] for one in before} == {now}
    later = now + OLD
    for body, _ in stripe.told():
        assert json.loads(body)["id"] in {one["id"] for one in before}
        assert not receive_event(payload=body, signature=signed(body, later), now=later)
    assert (process_events(now=later), list(WebhookEvent.objects.values())) == (0, before)


@pytest.mark.django_db
def test_what_was_never_looked_into_keeps_its_text_and_a_pass_is_bounded(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "EVENTS_MAX", 2)
    for number in range(4):
        WebhookEvent.objects.create(
            id=f"evt_{number}",
            type="t",
            created_at=now,
            received_at=now,
            payload="{}",
            due_at=now,
            processed_at=now if number else None,
        )
    assert [forget_events(now=now + OLD) for _ in range(3)] == [2, 1, 0]
    assert [one.pk for one in WebhookEvent.objects.exclude(payload="")] == ["evt_0"]
