"""This will register the validator as a Django app, inside the marketplace or alone."""

from django.apps import AppConfig


class ValidatorConfig(AppConfig):
    name = "validator"
    label = "validator"
    verbose_name = "Validator"
    default_auto_field = "django.db.models.BigAutoField"
