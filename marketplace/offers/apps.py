"""This will register the offers app."""

from django.apps import AppConfig


class OffersConfig(AppConfig):
    name = "marketplace.offers"
    label = "offers"
