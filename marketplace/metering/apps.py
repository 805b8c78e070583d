"""This will register metering with Django."""

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    name = "marketplace.metering"
    label = "metering"
