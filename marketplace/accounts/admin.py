"""This will let an operator see people and their keys."""

from django.contrib import admin

from marketplace.accounts.models import ApiKey, SshKey, User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """People; a person is shut out by clearing *is active*."""

    list_display = ("email", "is_active", "is_staff", "date_joined")
    search_fields = ("email",)
    ordering = ("email",)
    fields = ("email", "is_active", "is_staff", "is_superuser", "date_joined", "last_login")
    readonly_fields = ("date_joined", "last_login")


@admin.register(SshKey)
class SshKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """SSH keys by fingerprint."""

    list_display = ("fingerprint", "name", "user", "created_at")
    search_fields = ("fingerprint", "user__email")
    readonly_fields = ("user", "public_key", "fingerprint", "created_at")
    list_select_related = ("user",)


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """API keys; their digests are of no use to anybody and stay hidden."""

    list_display = ("prefix", "name", "user", "created_at", "last_used_at", "revoked_at")
    search_fields = ("prefix", "user__email")
    readonly_fields = ("user", "prefix", "created_at", "last_used_at")
    exclude = ("digest",)
    list_select_related = ("user",)
