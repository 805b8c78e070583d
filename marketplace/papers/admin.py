"""This will let an operator read papers, and only read them."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.domain.money import format_usd
from marketplace.papers.models import Paper


@admin.register(Paper)
class PaperAdmin(ReadOnly):
    """Invoices, receipts and credit notes, newest first."""

    list_display = ("number", "user", "month", "total", "issued_at")
    list_filter = ("kind",)
    search_fields = ("user__email", "id")
    list_select_related = ("user",)
    ordering = ("-issued_at", "pk")

    @admin.display(ordering="total_microusd")
    def total(self, paper: Paper) -> str:
        """Return dollars."""
        return format_usd(paper.total_microusd)
