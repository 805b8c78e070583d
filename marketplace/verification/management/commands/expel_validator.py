"""This will make a validator's word count no more: ``manage.py expel_validator HOTKEY``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.domain.problem import Refused
from marketplace.verification.actions.admit_validator import expel


class Command(BaseCommand):
    help = "Make a validator's verdicts, scores and SSH key count no more, by its hotkey (ss58)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("hotkey")

    def handle(self, *args: Any, **options: Any) -> None:
        """Expel the validator, or say why not."""
        try:
            validator = expel(hotkey=options["hotkey"])
        except Refused as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Expelled {validator.name} ({validator.hotkey}).")
