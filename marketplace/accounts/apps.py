"""This will tell Django about the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and their keys."""

    name = "marketplace.accounts"
    label = "accounts"
