"""This will show volumes to the operator."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.volumes.models import Volume


@admin.register(Volume)
class VolumeAdmin(ReadOnly):
    list_display = ("id", "name", "machine", "renter", "size_bytes", "removed_at")
