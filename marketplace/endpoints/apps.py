"""This will register endpoints with Django."""

from django.apps import AppConfig


class EndpointsConfig(AppConfig):
    name = "marketplace.endpoints"
    label = "endpoints"
