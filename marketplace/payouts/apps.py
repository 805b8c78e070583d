"""This will tell Django about the payouts app."""

from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    """Hosts' earnings, their payouts and the gateways they go through."""

    name = "marketplace.payouts"
    label = "payouts"
