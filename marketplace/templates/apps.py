"""This will register the templates app."""

from django.apps import AppConfig


class TemplatesConfig(AppConfig):
    name = "marketplace.templates"
    label = "templates"
