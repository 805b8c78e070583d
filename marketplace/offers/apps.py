"""This will register the offers app, and what its tables need after a migrate."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class OffersConfig(AppConfig):
    name = "marketplace.offers"
    label = "offers"

    def ready(self) -> None:
        """Keep the triggers of SQLite out of the way of migrations."""
        from marketplace.offers import room

        pre_migrate.connect(room.forget, sender=self, dispatch_uid="offers_room")
        post_migrate.connect(room.remember, sender=self, dispatch_uid="offers_room")
