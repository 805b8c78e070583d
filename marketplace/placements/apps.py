"""This will register the placements app."""

from django.apps import AppConfig


class PlacementsConfig(AppConfig):
    name = "marketplace.placements"
    label = "placements"
