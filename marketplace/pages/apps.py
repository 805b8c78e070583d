"""This will register the pages with Django."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "marketplace.pages"
    label = "pages"
