"""This will let an operator read the ledger, and only read it."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.ledger.models import Account, Hold, Transfer


@admin.register(Account)
class AccountAdmin(ReadOnly):
    """Accounts by kind and person."""

    list_display = ("id", "kind", "user", "balance_microusd")
    list_filter = ("kind",)
    search_fields = ("user__email",)
    list_select_related = ("user",)


@admin.register(Transfer)
class TransferAdmin(ReadOnly):
    """Transfers, newest first."""

    list_display = ("id", "at", "kind", "amount_microusd", "cause", "note")
    list_filter = ("kind",)
    search_fields = ("cause", "note")
    ordering = ("-id",)


@admin.register(Hold)
class HoldAdmin(ReadOnly):
    """Holds, newest first."""

    list_display = ("id", "user", "cause", "created_at", "released_at")
    search_fields = ("cause", "user__email")
    list_select_related = ("user",)
    ordering = ("-created_at", "pk")
