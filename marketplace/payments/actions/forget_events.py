"""This will empty what the card processor told long ago; that it was told stays known."""

from datetime import datetime, timedelta

from marketplace.payments.models import WebhookEvent

#: longer than a payment can be disputed
KEPT = timedelta(days=400)
#: that one pass empties; the next pass goes on
EVENTS_MAX = 10_000


def forget_events(*, now: datetime) -> int:
    """Return how many were emptied. Their ids stay, so that a replay still has one effect.

    One that was never looked into keeps its text: it waits for who mends it.
    """
    old = WebhookEvent.objects.filter(received_at__lt=now - KEPT, processed_at__isnull=False)
    kept = old.exclude(payload="").order_by("received_at", "id")
    ids = list(kept.values_list("pk", flat=True)[:EVENTS_MAX])
    return WebhookEvent.objects.filter(pk__in=ids).update(payload="")
