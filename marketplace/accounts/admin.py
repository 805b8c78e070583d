"""This will let an operator see people and their keys."""

from django.contrib import admin

from marketplace.accounts.models import ApiKey, SshKey, User
from marketplace.accounts.read_only import ReadOnly


@admin.register(User)
class UserAdmin(ReadOnly):
    """People; the console bans them and gives roles, a command makes operators."""

    list_display = ("email", "team_name", "is_active", "is_staff", "date_joined")
    search_fields = ("email", "team_name")
    ordering = ("email",)
    exclude = ("password",)


@admin.register(SshKey)
class SshKeyAdmin(ReadOnly):
    """SSH keys by fingerprint."""

    list_display = ("fingerprint", "name", "user", "created_at")
    search_fields = ("fingerprint", "user__email")
    list_select_related = ("user",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    """API keys; their digests are of no use to anybody and stay hidden."""

    list_display = ("prefix", "name", "user", "created_at", "last_used_at", "revoked_at")
    search_fields = ("prefix", "user__email")
    exclude = ("digest",)
    list_select_related = ("user",)
