"""This will tell Django about the own_data app."""

from django.apps import AppConfig


class OwnDataConfig(AppConfig):
    """Exports of all that is kept about a person."""

    name = "marketplace.own_data"
    label = "own_data"
