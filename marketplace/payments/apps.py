"""This will tell Django about the payments app."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Top-ups and the gateways they go through."""

    name = "marketplace.payments"
    label = "payments"
