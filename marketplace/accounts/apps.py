"""This will tell Django about the accounts app and the checks of the settings."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and their keys."""

    name = "marketplace.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register the checks: every installation has this app."""
        from marketplace import checks  # noqa: F401  (importing registers)
