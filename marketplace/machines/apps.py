"""This will register the machines app."""

from django.apps import AppConfig


class MachinesConfig(AppConfig):
    name = "marketplace.machines"
    label = "machines"
