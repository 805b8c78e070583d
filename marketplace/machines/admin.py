"""This will show machines to the operator."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.machines.models import EnrolmentToken, HotkeyBinding, Machine


@admin.register(Machine)
class MachineAdmin(ReadOnly):
    list_display = ("id", "address", "host", "online", "last_seen_at", "cpus_free", "gpus_free")
    list_filter = ("online",)


@admin.register(EnrolmentToken)
class EnrolmentTokenAdmin(ReadOnly):
    list_display = ("id", "host", "created_at", "expires_at", "used_at")


@admin.register(HotkeyBinding)
class HotkeyBindingAdmin(ReadOnly):
    list_display = ("machine", "hotkey", "host", "signed_at", "bound_at")
