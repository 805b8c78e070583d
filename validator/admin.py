"""This will show attempts to set weights to the operator, where a marketplace runs beside."""

from django.contrib import admin
from django.http import HttpRequest

from validator.models import WeightSubmission


@admin.register(WeightSubmission)
class WeightSubmissionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    """Rows are what happened: nobody changes them."""

    list_display = ("started_at", "outcome", "network", "netuid", "epoch", "block", "settled_at")
    list_filter = ("outcome",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse."""
        return False
