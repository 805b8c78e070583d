"""This will register the console with Django."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "marketplace.console"
    label = "console"
