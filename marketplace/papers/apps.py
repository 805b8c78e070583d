"""This will tell Django about the papers app."""

from django.apps import AppConfig


class PapersConfig(AppConfig):
    """What people file: invoices, receipts and credit notes."""

    name = "marketplace.papers"
    label = "papers"
