"""This will find what waits for somebody of the staff, and how far passes are behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Model, QuerySet

from marketplace.domain.delivered import Effect
from marketplace.ledger.models import AuditRun
from marketplace.notices.models import Delivery, Notice
from marketplace.payments.models import (
    Dispute,
    DisputeState,
    Refund,
    RefundState,
    TopUp,
    TopUpState,
    WebhookEvent,
)
from marketplace.payouts.models import Payout
from marketplace.rentals.models import RentalProof
from marketplace.verification.models import Appeal

ROWS_MAX = 50
COUNTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows that a pass has to come to."""

    name: str
    #: at most COUNTED_MAX
    rows: int
    #: since when the first of them is due; None: there is none
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What somebody has to decide, oldest first."""

    disputes: Sequence[Dispute]
    proofs: Sequence[RentalProof]
    appeals: Sequence[Appeal]
    backlogs: tuple[Backlog, ...]
    #: the newest daily audit; None: there was none
    audit: AuditRun | None


def waiting(*, now: datetime) -> Waiting:
    """Return what waits now, in a fixed number of queries."""
    disputes = Dispute.objects.filter(state=DisputeState.OPEN).select_related("top_up__user")
    proofs = RentalProof.objects.filter(effect=Effect.DISPUTED, ruling__isnull=True)
    beside = proofs.select_related("rental__renter", "rental__placement__machine__host")
    appeals = Appeal.objects.filter(answered_at=None).select_related("machine__host")
    return Waiting(
        disputes=tuple(disputes.order_by("evidence_due_at", "opened_at", "id")[:ROWS_MAX]),
        proofs=tuple(beside.order_by("counted_at", "id")[:ROWS_MAX]),
        appeals=tuple(appeals.order_by("made_at", "id")[:ROWS_MAX]),
        backlogs=backlogs(now=now),
        audit=newest_audit(),
    )


def backlogs(*, now: datetime) -> tuple[Backlog, ...]:
    """Return what passes have to come to; two questions at most for each kind."""
    return tuple(_backlog(name, rows, column) for name, rows, column in _backlogs(now))


def newest_audit() -> AuditRun | None:
    """Return the newest look at the whole ledger; None: there was none."""
    return AuditRun.objects.order_by("-at", "-id").first()


def _backlogs(now: datetime) -> tuple[tuple[str, "QuerySet[Model]", str], ...]:
    payments = TopUp.objects.filter(state=TopUpState.PENDING, ask_at__lte=now)
    refunds = Refund.objects.filter(state=RefundState.PENDING, ask_at__lte=now)
    told = WebhookEvent.objects.filter(processed_at=None, due_at__lte=now)
    return (
        ("Letters", Notice.objects.filter(mail_due_at__lte=now), "mail_due_at"),
        ("Web hooks", Delivery.objects.filter(next_at__lte=now), "next_at"),
        ("Payments to ask about", payments, "ask_at"),
        ("Refunds to ask about", refunds, "ask_at"),
        ("Word of the card processor", told, "due_at"),
        ("Payouts", Payout.objects.filter(due_at__lte=now), "due_at"),
    )


def _backlog(name: str, rows: "QuerySet[Model]", column: str) -> Backlog:
    due_at = rows.order_by().aggregate(first=Min(column))["first"]
    return Backlog(name, rows.order_by()[:COUNTED_MAX].count() if due_at else 0, due_at)
