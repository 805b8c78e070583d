"""This will make a validator's word count no more: ``manage.py expel_validator HOTKEY``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.domain.problem import Refused
from marketplace.oversight.record import by_command
from marketplace.verification.actions.admit_validator import expel


class Command(BaseCommand):
    help = "Make a validator's verdicts, scores and SSH key count no more, by its hotkey (ss58)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("hotkey")

    def handle(self, *args: Any, **options: Any) -> None:
        """Expel the validator, or say why not."""
        try:
            with transaction.atomic():
                validator = expel(hotkey=options["hotkey"])
                by_command(
                    "expel_validator",
                    kind=ActKind.EXPEL_VALIDATOR,
                    subject=f"validator {validator.hotkey}",
                    now=timezone.now(),
                )
        except Refused as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Expelled {validator.name} ({validator.hotkey}).")
