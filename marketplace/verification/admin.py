"""This will show validators and verdicts to the operator."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.verification.models import Validator, VerdictRecord


@admin.register(Validator)
class ValidatorAdmin(ReadOnly):
    list_display = ("name", "hotkey", "admitted", "admitted_at")


@admin.register(VerdictRecord)
class VerdictAdmin(ReadOnly):
    list_display = ("machine", "validator", "state", "checked_at", "expires_at")
    list_filter = ("state",)
