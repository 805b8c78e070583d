"""This will let an operator read how hosts are paid, and only read it."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.domain.money import format_usd
from marketplace.domain.tax import masked
from marketplace.payouts.models import HostDetails, Payout, PayoutAccount, PayoutAttempt


class Attempts(admin.TabularInline):  # type: ignore[type-arg]  # not generic when it runs
    """Every request to the processor, with its reason."""

    model = PayoutAttempt
    extra = 0
    can_delete = False
    fields = readonly_fields = ("number", "state", "reason", "asked_at", "answered_at")


@admin.register(Payout)
class PayoutAdmin(ReadOnly):
    """Payouts, newest first."""

    list_display = ("week", "host", "amount", "state", "reason", "asked", "due_at", "reference")
    list_filter = ("state", "week")
    search_fields = ("host__email", "reference", "id")
    list_select_related = ("host",)
    ordering = ("-created_at", "pk")
    inlines = (Attempts,)

    @admin.display(ordering="amount_microusd")
    def amount(self, payout: Payout) -> str:
        """Return dollars."""
        return format_usd(payout.amount_microusd)


@admin.register(PayoutAccount)
class PayoutAccountAdmin(ReadOnly):
    """Hosts' accounts at the processor, newest first."""

    list_display = ("host", "gateway", "country", "currency", "enabled_at", "reason", "closed_at")
    list_filter = ("gateway", "country")
    search_fields = ("host__email", "reference")
    list_select_related = ("host",)
    ordering = ("-opened_at", "pk")


@admin.register(HostDetails)
class HostDetailsAdmin(ReadOnly):
    """Who hosts are; `manage.py host_taxes` exports the whole numbers."""

    fields = list_display = ("host", "route", "legal_name", "country", "number", "changed_at")
    list_filter = ("route", "country")
    search_fields = ("host__email", "legal_name")
    list_select_related = ("host",)
    ordering = ("pk",)

    @admin.display(description="tax number")
    def number(self, details: HostDetails) -> str:
        """Return it with only its last characters."""
        return masked(details.tax_id)
