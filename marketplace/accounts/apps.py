"""This will tell Django about the accounts app, the checks of the settings and moments."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and their keys."""

    name = "marketplace.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register what every installation has, as it has this app."""
        from allauth.mfa.signals import authenticator_removed
        from allauth.socialaccount.models import SocialAccount
        from allauth.socialaccount.signals import social_account_added
        from django.db.models.signals import pre_save

        from marketplace import checks, moments  # noqa: F401  (importing registers)
        from marketplace.accounts.other_log_ins import keep_little, note_link
        from marketplace.accounts.second_step import note_removal

        authenticator_removed.connect(note_removal, dispatch_uid="note a removal")
        social_account_added.connect(note_link, dispatch_uid="note a link")
        pre_save.connect(keep_little, sender=SocialAccount, dispatch_uid="keep little")
