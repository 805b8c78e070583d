"""This will admit a validator's hotkey: ``manage.py add_validator HOTKEY --name NAME``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from marketplace.domain.problem import Refused
from marketplace.verification.actions.admit_validator import admit


class Command(BaseCommand):
    help = "Admit a validator by its hotkey (ss58)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("hotkey")
        parser.add_argument("--name", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Admit the validator, or say why not."""
        try:
            validator = admit(hotkey=options["hotkey"], name=options["name"], now=timezone.now())
        except Refused as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Admitted {validator.name} ({validator.hotkey}).")
