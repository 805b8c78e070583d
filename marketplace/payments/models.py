"""This will store money that comes in, who pays it by which card, and what is sent back."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q


class TopUpState(StrEnum):
    """How far a payment got."""

    PENDING = "pending"
    PAID = "paid"
    REFUSED = "refused"


class RefundState(StrEnum):
    """How far money is on its way back to a card."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class DisputeState(StrEnum):
    """What became of a cardholder's dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Payer(models.Model):
    """A person as the card processor knows them, with the one card that is saved."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payer"
    )
    #: the processor's names; the card is empty while none is saved
    customer = models.CharField(max_length=100, blank=True, db_index=True)
    card = models.CharField(max_length=100, blank=True)
    #: what a person knows their card by: ``visa 4242, 12/2030``
    card_text = models.CharField(max_length=60, blank=True)
    #: since then no card is taken of them, as the site paid for a dispute that they lost
    barred_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.customer} {self.card_text}"


class AutoTopUp(models.Model):
    """A person's rule by which their card is asked without them."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="auto_top_up"
    )
    is_on = models.BooleanField(default=True)
    threshold_microusd = models.BigIntegerField()
    amount_microusd = models.BigIntegerField()
    #: of all that it takes in a calendar month, UTC
    month_microusd_max = models.BigIntegerField()
    #: refusals since the last payment
    declines = models.PositiveSmallIntegerField(default=0)
    #: why the site turned it off; empty: it did not
    off_because = models.CharField(max_length=200, blank=True)
    #: when the card was asked last
    asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(threshold_microusd__gt=0, amount_microusd__gt=0),
                name="auto_top_up_adds_something",
            )
        ]

    def __str__(self) -> str:
        return f"{'on' if self.is_on else 'off'} {self.amount_microusd}"


class TopUp(models.Model):
    """Money that a person wants to add to their wallet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="top_ups"
    )
    amount_microusd = models.BigIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(state, state) for state in TopUpState],
        default=TopUpState.PENDING,
    )
    #: asked for by the person's rule and not by themselves
    automatic = models.BooleanField(default=False)
    #: which gateway was asked
    gateway = models.CharField(max_length=20)
    #: the gateway's names of who pays and of the card; never changed, as one payment is one request
    customer = models.CharField(max_length=100, blank=True)
    card = models.CharField(max_length=100, blank=True)
    card_text = models.CharField(max_length=60, blank=True)
    #: the gateway's own name for the payment, empty until it answered
    reference = models.CharField(max_length=200, blank=True, db_index=True)
    #: where the person confirms it, if their bank wants that
    confirm_url = models.CharField(max_length=2000, blank=True)
    #: the gateway's sentence when it refused
    reason = models.CharField(max_length=200, blank=True)
    #: whoever asks again with the same cause gets this row
    cause = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    #: when a pass asks the gateway again while it is pending
    ask_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    #: when it was found in the gateway's own books
    reconciled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "id")
        constraints = [
            models.CheckConstraint(condition=Q(amount_microusd__gt=0), name="top_up_adds_something")
        ]
        indexes = [
            models.Index(fields=("ask_at",), condition=Q(state="pending"), name="top_up_pending"),
            models.Index(fields=("user", "-created_at"), name="top_up_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.cause}"


class Refund(models.Model):
    """Money of one payment that the operator sends back to its card."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    top_up = models.ForeignKey(TopUp, on_delete=models.PROTECT, related_name="refunds")
    amount_microusd = models.BigIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(state, state) for state in RefundState],
        default=RefundState.PENDING,
    )
    #: the processor's own name for it, empty until it answered
    reference = models.CharField(max_length=200, blank=True, db_index=True)
    #: the processor's words when it failed
    reason = models.CharField(max_length=200, blank=True)
    #: why the operator sent it
    note = models.CharField(max_length=200)
    #: whoever asks again with the same cause gets this row
    cause = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    ask_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    reconciled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_microusd__gt=0), name="refund_returns_something"
            )
        ]
        indexes = [
            models.Index(fields=("ask_at",), condition=Q(state="pending"), name="refund_pending")
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.cause}"


class Dispute(models.Model):
    """A cardholder's claim at their bank that a payment was not theirs, or bought nothing."""

    #: the processor's name
    id = models.CharField(primary_key=True, max_length=100)
    top_up = models.ForeignKey(TopUp, on_delete=models.PROTECT, related_name="disputes")
    amount_microusd = models.BigIntegerField()
    state = models.CharField(
        max_length=4,
        choices=[(state, state) for state in DisputeState],
        default=DisputeState.OPEN,
    )
    reason = models.CharField(max_length=100, blank=True)
    opened_at = models.DateTimeField()
    #: None: no evidence is asked for
    evidence_due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    #: what of the person's money is set aside for it now
    frozen_microusd = models.BigIntegerField(default=0)
    #: what the site paid of a lost one
    borne_microusd = models.BigIntegerField(default=0)
    #: when a pass looks at it again while it is open
    ask_at = models.DateTimeField()
    #: when the operator was written to; None: not yet
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-opened_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    frozen_microusd__gte=0, frozen_microusd__lte=models.F("amount_microusd")
                ),
                name="dispute_freezes_no_more_than_itself",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"


class WebhookEvent(models.Model):
    """A signed hint of the processor's that something changed, as it came."""

    #: the processor's name; the same event is stored once
    id = models.CharField(primary_key=True, max_length=100)
    type = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    received_at = models.DateTimeField()
    #: empty once it is old
    payload = models.TextField()
    #: None: it waits for the pass
    processed_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    #: of the last attempt
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-received_at", "id")
        indexes = [
            models.Index(
                fields=("due_at",), condition=Q(processed_at=None), name="webhook_event_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class Difference(models.Model):
    """Something that the processor's books and ours do not agree about, for the operator."""

    kind = models.CharField(max_length=40)
    #: what it is about, by the processor's name or ours
    reference = models.CharField(max_length=200)
    detail = models.CharField(max_length=500)
    found_at = models.DateTimeField()

    class Meta:
        ordering = ("-found_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=("kind", "reference"), name="difference_told_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Reconciliation(models.Model):
    """One stretch of the processor's books that was held against ours."""

    since = models.DateTimeField()
    until = models.DateTimeField(unique=True)
    finished_at = models.DateTimeField()
    movements = models.PositiveIntegerField()
    differences = models.PositiveIntegerField()

    class Meta:
        ordering = ("-until",)

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"
