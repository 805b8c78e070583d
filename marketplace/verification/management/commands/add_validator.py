"""This will admit a validator: ``manage.py add_validator HOTKEY --name NAME [--stake N]``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.domain.problem import Refused
from marketplace.oversight.record import by_command
from marketplace.verification.actions.admit_validator import admit


class Command(BaseCommand):
    help = "Admit a validator by its hotkey (ss58)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("hotkey")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--stake",
            type=int,
            help="what its word weighs beside the others'; 1 where it is new, else as before",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Admit the validator, or say why not."""
        try:
            with transaction.atomic():
                now = timezone.now()
                validator = admit(
                    hotkey=options["hotkey"],
                    name=options["name"],
                    stake=options["stake"],
                    now=now,
                )
                by_command(
                    "add_validator",
                    kind=ActKind.ADMIT_VALIDATOR,
                    subject=f"validator {validator.hotkey}",
                    after={"name": validator.name, "stake": validator.stake},
                    now=now,
                )
        except Refused as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(
            f"Admitted {validator.name} ({validator.hotkey}), stake {validator.stake}."
        )
