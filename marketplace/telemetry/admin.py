"""This will show incidents to the operator."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.telemetry.models import Incident


@admin.register(Incident)
class IncidentAdmin(ReadOnly):
    list_display = ("told_at", "machine", "placement", "kind", "blame", "count", "sentence")
    list_filter = ("kind", "blame")
