"""This will register rentals with Django."""

from django.apps import AppConfig


class RentalsConfig(AppConfig):
    name = "marketplace.rentals"
    label = "rentals"
