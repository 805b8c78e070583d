"""This will register telemetry with Django."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "marketplace.telemetry"
    label = "telemetry"
