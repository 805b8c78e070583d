"""This will register terminals with Django."""

from django.apps import AppConfig


class TerminalsConfig(AppConfig):
    name = "marketplace.terminals"
    label = "terminals"
