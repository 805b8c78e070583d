"""This will hold the card processor's own books against ours, a day at a time."""

import logging
from datetime import datetime, timedelta

from django.db.models import Model

from marketplace.domain.money import format_usd
from marketplace.domain.paying_in import CURRENCY
from marketplace.payments import configured_gateway
from marketplace.payments.actions import settle_dispute
from marketplace.payments.actions.bring_in import bring_in
from marketplace.payments.actions.note_difference import note
from marketplace.payments.card_processor import CardProcessor, Movement, MovementKind
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import (
    Reconciliation,
    Refund,
    RefundState,
    TopUp,
    TopUpState,
)

EVERY = timedelta(days=1)
#: what is younger may not be in the processor's books yet
SETTLES_IN = timedelta(hours=1)
#: what we count as paid must be there by then
MISSING_AFTER = timedelta(days=2)
ROWS_MAX = 1000

log = logging.getLogger(__name__)


def reconcile(*, now: datetime, processor: CardProcessor | None = None) -> Reconciliation | None:
    """Return the stretch that was held against our books; None: no day is over since the last.

    Each difference is a row for the operator and a critical line of the log, once. A stretch that
    breaks off is read again as a whole.
    """
    if processor is None and not configured_gateway.takes_cards():
        return None
    chosen = processor or configured_gateway.cards()
    since = _since(now)
    until = min(since + EVERY, now - SETTLES_IN)
    if until - since < EVERY:
        return None
    movements = differences = 0
    try:
        for movement in chosen.movements(since=since, until=until):
            movements += 1
            differences += _compare(movement, now)
    except GatewayUnreachable:
        log.warning("books not read: card processor unreachable")
        return None
    differences += _missing(until, chosen.name, now)
    return Reconciliation.objects.create(
        since=since, until=until, finished_at=now, movements=movements, differences=differences
    )


def _since(now: datetime) -> datetime:
    last = Reconciliation.objects.order_by("-until").first()
    if last is not None:
        return last.until
    first = TopUp.objects.order_by("created_at").first()
    return min(first.created_at if first else now, now) - SETTLES_IN


def _compare(movement: Movement, now: datetime) -> bool:
    """Return whether this movement is a difference that nobody was told of before."""
    if movement.kind is MovementKind.OTHER:
        return False
    problem = {
        MovementKind.PAYMENT: _payment_problem,
        MovementKind.REFUND: _refund_problem,
        MovementKind.DISPUTE: _dispute_problem,
    }[movement.kind](movement, now)
    if movement.currency != CURRENCY:
        problem = problem or f"It is in {movement.currency}."
    if not problem:
        return False
    detail = f"{format_usd(movement.amount_microusd)} of {movement.reference}: {problem}"
    return note(kind=f"{movement.kind}_differs", reference=movement.id, detail=detail, now=now)


def _payment_problem(movement: Movement, now: datetime) -> str:
    # We may not have heard yet, or have given it up; what the processor says about it now decides.
    row = bring_in(movement.reference, now=now)
    if row is None:
        return "We know no such payment."
    if row.state != TopUpState.PAID:
        return f"Here it is {row.state}."
    return _seen(row, row.amount_microusd, movement, now)


def _refund_problem(movement: Movement, now: datetime) -> str:
    row = Refund.objects.filter(reference=movement.reference).exclude(reference="").first()
    if row is None:
        return "We sent no such refund."
    if movement.amount_microusd > 0:
        return "" if row.state == RefundState.FAILED else "It came back, and here it is done."
    return _seen(row, -row.amount_microusd, movement, now)


def _dispute_problem(movement: Movement, now: datetime) -> str:
    row = settle_dispute.look(movement.reference, now=now)
    if row is None:
        return "It is about no payment of ours."
    if abs(movement.amount_microusd) != row.amount_microusd:
        return f"Here it is about {format_usd(row.amount_microusd)}."
    if movement.amount_microusd > 0 and row.state == "lost":
        return "The bank gave it back, and here it is lost."
    return ""


def _seen(row: TopUp | Refund, amount_microusd: int, movement: Movement, now: datetime) -> str:
    if movement.amount_microusd != amount_microusd:
        return f"Here it is {format_usd(amount_microusd)}."
    type(row).objects.filter(pk=row.pk).update(reconciled_at=now)
    return ""


def _missing(until: datetime, gateway: str, now: datetime) -> int:
    """Return how many of our rows the processor's books lack, of which nobody was told before."""
    old = {"reconciled_at": None, "settled_at__lt": until - MISSING_AFTER}
    paid = TopUp.objects.filter(state=TopUpState.PAID, gateway=gateway, **old)
    done = Refund.objects.filter(state=RefundState.DONE, **old)
    rows: list[Model] = [*paid.order_by("settled_at", "pk")[:ROWS_MAX]]
    rows += done.order_by("settled_at", "pk")[:ROWS_MAX]
    return sum(
        note(
            kind=f"{row._meta.model_name}_missing",
            reference=str(row.pk),
            detail="It is settled here, and the card processor's books do not have it.",
            now=now,
        )
        for row in rows
    )
