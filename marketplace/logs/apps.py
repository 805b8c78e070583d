"""This will register logs with Django."""

from django.apps import AppConfig


class LogsConfig(AppConfig):
    name = "marketplace.logs"
    label = "logs"
