"""This will show meters and intervals to operators, who may change neither."""

from django.contrib import admin
from django.http import HttpRequest

from marketplace.metering.models import Meter, SignedIntervalRow


@admin.register(Meter, SignedIntervalRow)
class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Nobody edits what was metered."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse."""
        return False
