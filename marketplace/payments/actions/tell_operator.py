"""This will write to who runs the site of each new dispute: evidence is wanted by a day."""

import logging
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail

from marketplace.domain.money import format_usd
from marketplace.payments.models import Dispute, DisputeState

log = logging.getLogger(__name__)
#: of one pass; the next pass goes on
LETTERS_MAX = 20


def tell_disputes(*, now: datetime) -> int:
    """Return how many letters were sent, one for each open dispute.

    Who is killed in between may have sent one that is sent again.
    """
    if not settings.OPERATOR_EMAILS:
        return 0
    new = Dispute.objects.filter(state=DisputeState.OPEN, told_at=None).select_related("top_up")
    told = 0
    for row in new.order_by("opened_at", "pk")[:LETTERS_MAX]:
        try:
            send_mail(_subject(row), _text(row), None, settings.OPERATOR_EMAILS)
        except OSError:
            log.exception("letter about a dispute not sent", extra={"dispute_id": row.pk})
            break
        Dispute.objects.filter(pk=row.pk).update(told_at=now)
        told += 1
    return told


def _subject(row: Dispute) -> str:
    return f"A payment of {format_usd(row.amount_microusd)} is disputed"


def _text(row: Dispute) -> str:
    due = row.evidence_due_at
    day = f"The bank wants evidence by {due:%-d %b %Y, %H:%M} UTC" if due else "No day is named"
    return (
        f"Dispute {row.pk} of the payment of {row.top_up.created_at:%-d %b %Y}, opened on"
        f" {row.opened_at:%-d %b %Y}. Reason: {row.reason or 'none was given'}.\n\n{day}."
        f" manage.py dispute_evidence {row.pk} prints what to tell it."
    )
