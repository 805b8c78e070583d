"""This will register the volumes app."""

from django.apps import AppConfig


class VolumesConfig(AppConfig):
    name = "marketplace.volumes"
    label = "volumes"
