"""This will let an operator see people and their keys."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace.accounts.actions import prove_email
from marketplace.accounts.models import ApiKey, SshKey, User
from marketplace.accounts.read_only import ReadOnly


@admin.register(User)
class UserAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """People; a person is shut out by clearing *is active*, and only that can be changed.

    ``manage.py create_account --operator`` makes operators.
    """

    list_display = ("email", "is_active", "is_staff", "date_joined")
    search_fields = ("email",)
    ordering = ("email",)
    actions = ("prove_email",)
    fields = ("email", "is_active", "is_staff", "is_superuser", "date_joined", "last_login")
    readonly_fields = ("email", "is_staff", "is_superuser", "date_joined", "last_login")

    @admin.action(description="Their e-mail address is theirs", permissions=("change",))
    def prove_email(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Note what a person proves by a letter where the site sends none."""
        for user in queryset:
            prove_email.prove(user=user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: people sign up."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse: money and rentals name them."""
        return False


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
