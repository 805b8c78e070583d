"""This will tell Django about the ledger app."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Accounts, transfers and holds."""

    name = "marketplace.ledger"
    label = "ledger"
