"""This will look into what the card processor told us: an event is a hint, no fact.

Whatever an event says, the object is asked for anew and ours is brought to where it stands now. So
an event that comes twice, late, or before an older one has the same effect as one that comes well.
"""

import logging
from datetime import datetime, timedelta

from marketplace.payments import configured_gateway
from marketplace.payments.actions import refund, save_card, settle_dispute
from marketplace.payments.actions.bring_in import bring_in
from marketplace.payments.card_processor import Event
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import Refund, RefundState, WebhookEvent

EVENTS_MAX = 100
WAIT_S_MAX = 3600
#: what a customer's cards depend on
ABOUT_CARDS = frozenset({"setup_intent", "checkout.session", "payment_method"})

log = logging.getLogger(__name__)


def process_events(*, now: datetime) -> int:
    """Return how many events were looked into. One that cannot be is tried again, ever later.

    Call it outside a transaction: the processor is a remote call.
    """
    looked = 0
    waiting = WebhookEvent.objects.filter(processed_at=None, due_at__lte=now)
    for row in waiting.order_by("due_at", "pk")[:EVENTS_MAX]:
        try:
            _look_into(configured_gateway.cards().stored_event(row.payload), now)
        except GatewayUnreachable:
            _put_off(row, "The card processor did not answer.", now)
            break
        except Exception as error:
            # The others must not wait for who mends this one.
            log.exception("card event not processed", extra={"event": row.pk})
            _put_off(row, f"{type(error).__name__}: {error}", now)
        else:
            WebhookEvent.objects.filter(pk=row.pk).update(processed_at=now, error="")
            looked += 1
    return looked


def _look_into(event: Event, now: datetime) -> None:
    if event.object_kind in ABOUT_CARDS:
        save_card.refresh(customer=event.customer)
    if event.object_kind == "dispute":
        settle_dispute.look(event.object_id, now=now)
    if event.object_kind in ("refund", "charge"):
        _look_at_refunds(event, now)
    bring_in(event.payment, now=now)


def _look_at_refunds(event: Event, now: datetime) -> None:
    mine = Refund.objects.filter(top_up__reference=event.payment).exclude(top_up__reference="")
    for row in mine.exclude(state=RefundState.FAILED).select_related("top_up"):
        refund.ask(row, now=now)


def _put_off(row: WebhookEvent, error: str, now: datetime) -> None:
    wait_s = min(WAIT_S_MAX, 10 * 2 ** min(row.attempts, 10))
    WebhookEvent.objects.filter(pk=row.pk).update(
        attempts=row.attempts + 1, due_at=now + timedelta(seconds=wait_s), error=error[:200]
    )
