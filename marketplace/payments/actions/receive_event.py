"""This will keep what the card processor tells us, as it came, for a pass to look into."""

import logging
from datetime import datetime

from marketplace.payments import configured_gateway
from marketplace.payments.models import WebhookEvent

log = logging.getLogger(__name__)


def receive_event(*, payload: bytes, signature: str, now: datetime) -> bool:
    """Return whether this event is new; one that was told before is kept once.

    :raises SignatureRefused: when it is forged, signed long ago, or no event at all.
    :raises PaymentsUnavailable: when this site takes no cards.
    """
    event = configured_gateway.cards().event(payload=payload, signature=signature, now=now)
    _, is_new = WebhookEvent.objects.get_or_create(
        pk=event.id,
        defaults={
            "type": event.type,
            "created_at": event.created_at,
            "received_at": now,
            "payload": payload.decode(),
            "due_at": now,
        },
    )
    if is_new:
        log.info("card event", extra={"event": event.id, "type": event.type})
    return is_new
