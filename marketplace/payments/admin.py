"""This will let an operator read the payments, and only read them."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.payments.models import TopUp


@admin.register(TopUp)
class TopUpAdmin(ReadOnly):
    """Payments, newest first."""

    list_display = ("id", "user", "amount_microusd", "state", "gateway", "created_at")
    list_filter = ("state", "gateway")
    search_fields = ("user__email", "reference", "cause")
    list_select_related = ("user",)
    ordering = ("-created_at", "pk")
