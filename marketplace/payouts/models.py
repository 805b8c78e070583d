"""This will store how each host is paid, and every payout with each attempt to make it."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace.domain.ledger import AccountKind
from marketplace.domain.payout import OPEN, PayoutState


class Route(StrEnum):
    """How a host wants to be paid."""

    #: a processor pays to their bank
    BANK = "bank"
    #: nothing is paid out: they host for emission, and what renters pay stays in their earnings
    CHAIN_ONLY = "chain_only"


class HostDetails(models.Model):
    """How one host is paid, and who they are for the tax office."""

    host = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="host_details"
    )
    route = models.CharField(
        max_length=10, choices=[(route, route) for route in Route], default=Route.BANK
    )
    #: the four below are empty until the host has written them, then all are there
    legal_name = models.CharField(max_length=120, blank=True)
    country = models.CharField(max_length=2, blank=True)
    tax_id = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=300, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"details of {self.host_id}"


class PayoutAccount(models.Model):
    """A host's account at the processor that pays them."""

    #: also the key under which the processor opens it, so a lost answer opens no second one
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payout_accounts"
    )
    gateway = models.CharField(max_length=20)
    #: as the processor was told, and may not change
    country = models.CharField(max_length=2)
    email = models.EmailField()
    #: the processor's name for it, empty until it answered
    reference = models.CharField(max_length=200, blank=True)
    #: what its bank takes; empty: not told yet
    currency = models.CharField(max_length=3, blank=True)
    #: since when it can be paid to; None: it cannot
    enabled_at = models.DateTimeField(null=True)
    #: why it cannot be paid to
    reason = models.CharField(max_length=300, blank=True)
    opened_at = models.DateTimeField()
    #: another country was chosen; what was sent here still arrives here
    closed_at = models.DateTimeField(null=True)
    #: when the processor is asked again how it is
    look_at = models.DateTimeField()
    #: the Friday up to which a payout was decided on, one way or the other
    decided_on = models.DateField(null=True)

    class Meta:
        ordering = ("opened_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("host",), condition=Q(closed_at=None), name="payout_account_one_open"
            ),
            models.UniqueConstraint(
                fields=("gateway", "reference"),
                condition=~Q(reference=""),
                name="payout_account_one_per_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=("look_at",), condition=Q(closed_at=None), name="payout_account_looked_at"
            )
        ]

    def __str__(self) -> str:
        return f"{self.gateway} account of {self.host_id}"


class Payout(models.Model):
    """What one host is paid for one week."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payouts"
    )
    account = models.ForeignKey(PayoutAccount, on_delete=models.PROTECT, related_name="payouts")
    #: the Friday that it is of
    week = models.DateField()
    amount_microusd = models.BigIntegerField()
    #: the site's account that the money went to: OUTSIDE, or PROMO for play money
    sink = models.CharField(
        max_length=12, choices=[(kind, kind) for kind in (AccountKind.OUTSIDE, AccountKind.PROMO)]
    )
    state = models.CharField(
        max_length=8,
        choices=[(state, state) for state in PayoutState],
        default=PayoutState.PENDING,
    )
    #: the processor's newest reason against it
    reason = models.CharField(max_length=300, blank=True)
    #: the processor's names for the transfer, empty until it is sent
    reference = models.CharField(max_length=200, blank=True)
    receipt = models.CharField(max_length=200, blank=True)
    #: how often the processor was asked since the last good answer
    asked = models.PositiveIntegerField(default=0)
    #: when it is gone on with; None: it is over
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    #: when the bank first sent it back
    returned_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_microusd__gt=0), name="payout_moves_something"
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, due_at__isnull=False)
                | (~Q(state__in=OPEN) & Q(due_at=None)),
                name="payout_due_while_open",
            ),
            models.UniqueConstraint(fields=("host", "week"), name="payout_one_a_week"),
        ]
        indexes = [
            models.Index(fields=("due_at",), condition=~Q(due_at=None), name="payout_due"),
            models.Index(fields=("host", "created_at"), name="payout_by_host"),
        ]

    def __str__(self) -> str:
        return f"{self.state} payout of {self.week} to {self.host_id}"


class AttemptState(StrEnum):
    """What is known of one attempt."""

    #: nobody knows yet whether it moved anything
    ASKED = "asked"
    SENT = "sent"
    REFUSED = "refused"


class PayoutAttempt(models.Model):
    """One request to the processor, written before it is made; asked again under its own key."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(state, state) for state in AttemptState],
        default=AttemptState.ASKED,
    )
    reason = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("payout", "number")
        constraints = [
            models.UniqueConstraint(fields=("payout", "number"), name="payout_attempt_numbered"),
            models.UniqueConstraint(
                fields=("payout",),
                condition=Q(state=AttemptState.ASKED),
                name="payout_one_attempt_unanswered",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.payout_id}"

    @property
    def key(self) -> str:
        """Return the idempotency key that the processor hears."""
        return f"payout:{self.payout_id}:{self.number}"
