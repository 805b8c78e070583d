"""This will show placements to the operator."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.placements.models import Placement


@admin.register(Placement)
class PlacementAdmin(ReadOnly):
    list_display = ("id", "machine", "kind", "state", "blame", "reason_code", "created_at")
    list_filter = ("state", "blame", "kind")
