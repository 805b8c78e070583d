"""This will let an operator read the ledger, and only read it."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.ledger.models import Account, AuditRun, CreditGrant, EarnedDay, Hold, Transfer


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

    list_display = ("id", "user", "cause", "state", "created_at", "expires_at", "released_at")
    list_filter = ("state",)
    search_fields = ("cause", "user__email")
    list_select_related = ("user",)
    ordering = ("-created_at", "pk")


@admin.register(CreditGrant)
class CreditGrantAdmin(ReadOnly):
    """Promo credit, newest first; the command grant_credit gives it."""

    list_display = ("id", "user", "amount_microusd", "left_microusd", "expires_at", "note")
    search_fields = ("cause", "user__email")
    list_select_related = ("user",)
    ordering = ("-id",)


@admin.register(EarnedDay)
class EarnedDayAdmin(ReadOnly):
    """What machines earned by day, newest first."""

    list_display = ("day", "host", "machine_id", "earned_microusd", "fee_microusd")
    search_fields = ("host__email", "=machine_id")
    list_select_related = ("host",)
    ordering = ("-day", "-id")


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnly):
    """Daily audits, newest first."""

    list_display = ("at", "is_well", "accounts", "transfers")

    @admin.display(boolean=True)
    def is_well(self, run: AuditRun) -> bool:
        """Return whether nothing was wrong."""
        return not run.problems
