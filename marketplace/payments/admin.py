"""This will let an operator read the payments, and only read them."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.payments.models import (
    AutoTopUp,
    Difference,
    Dispute,
    Payer,
    Reconciliation,
    Refund,
    TopUp,
    WebhookEvent,
)


@admin.register(TopUp)
class TopUpAdmin(ReadOnly):
    """Payments, newest first."""

    list_display = ("id", "user", "amount_microusd", "state", "gateway", "automatic", "created_at")
    list_filter = ("state", "gateway", "automatic")
    search_fields = ("user__email", "reference", "cause")
    list_select_related = ("user",)
    ordering = ("-created_at", "pk")


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    """What goes back to cards, newest first."""

    list_display = ("id", "top_up", "amount_microusd", "state", "note", "created_at")
    list_filter = ("state",)
    search_fields = ("top_up__user__email", "reference")
    list_select_related = ("top_up",)
    ordering = ("-created_at", "pk")


@admin.register(Dispute)
class DisputeAdmin(ReadOnly):
    """Disputes, newest first."""

    list_display = ("id", "top_up", "amount_microusd", "state", "evidence_due_at", "borne_microusd")
    list_filter = ("state", "reason")
    search_fields = ("id", "top_up__user__email")
    list_select_related = ("top_up",)
    ordering = ("-opened_at", "pk")


@admin.register(Difference)
class DifferenceAdmin(ReadOnly):
    """What the card processor's books and ours do not agree about."""

    list_display = ("kind", "reference", "detail", "found_at")
    list_filter = ("kind",)
    ordering = ("-found_at", "-pk")


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly):
    """What the card processor told us, newest first."""

    list_display = ("id", "type", "received_at", "processed_at", "attempts", "error")
    list_filter = ("type",)
    ordering = ("-received_at", "pk")


@admin.register(Payer)
class PayerAdmin(ReadOnly):
    """People as the card processor knows them."""

    list_display = ("user", "customer", "card_text", "barred_at")
    search_fields = ("user__email", "customer")
    list_select_related = ("user",)
    ordering = ("pk",)


@admin.register(AutoTopUp)
class AutoTopUpAdmin(ReadOnly):
    """Rules by which cards are asked."""

    list_display = ("user", "is_on", "threshold_microusd", "amount_microusd", "declines")
    list_filter = ("is_on",)
    list_select_related = ("user",)
    ordering = ("pk",)


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly):
    """Days that were held against the card processor's books."""

    list_display = ("since", "until", "movements", "differences", "finished_at")
    ordering = ("-until",)
