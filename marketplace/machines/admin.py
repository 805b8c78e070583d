"""This will show machines to the operator."""

from django.contrib import admin

from marketplace.machines.models import EnrolmentToken, Machine


@admin.register(Machine)
class MachineAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    list_display = ("id", "address", "host", "online", "last_seen_at", "cpus_free", "gpus_free")
    list_filter = ("online",)
    readonly_fields = tuple(field.name for field in Machine._meta.fields)


@admin.register(EnrolmentToken)
class EnrolmentTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    list_display = ("id", "host", "created_at", "expires_at", "used_at")
    readonly_fields = tuple(field.name for field in EnrolmentToken._meta.fields)
