"""This will show placements to the operator."""

from django.contrib import admin

from marketplace.placements.models import Placement


@admin.register(Placement)
class PlacementAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    list_display = ("id", "machine", "kind", "state", "blame", "reason_code", "created_at")
    list_filter = ("state", "blame", "kind")
    readonly_fields = tuple(field.name for field in Placement._meta.fields)
