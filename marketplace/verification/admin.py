"""This will show validators and verdicts to the operator."""

from django.contrib import admin

from marketplace.verification.models import Validator, VerdictRecord


@admin.register(Validator)
class ValidatorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    list_display = ("name", "hotkey", "admitted", "admitted_at")


@admin.register(VerdictRecord)
class VerdictAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    list_display = ("machine", "validator", "state", "checked_at", "expires_at")
    list_filter = ("state",)
    readonly_fields = tuple(field.name for field in VerdictRecord._meta.fields)
