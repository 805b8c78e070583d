"""This will let somebody in who lost their second step, on an operator's word."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.accounts import second_step
from marketplace.accounts.models import User
from marketplace.domain.oversight import ActKind
from marketplace.oversight.record import by_command


class Command(BaseCommand):
    help = (
        "Take off a person's authenticator app, passkeys and recovery codes, once you are sure who"
        " asks. Their API keys end and they are logged out everywhere; their password stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address."""
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take them off."""
        email = options["email"].strip().lower()
        user = User.objects.filter(email=email).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {email}.")
        with transaction.atomic():
            if not second_step.remove(user=user):
                raise CommandError(f"{email} logs in with a password alone.")
            by_command(
                "remove_second_step",
                kind=ActKind.REMOVE_STEP,
                subject=f"person {user.pk}",
                person_id=user.pk,
                now=timezone.now(),
            )
        self.stdout.write(f"{email} logs in with a password alone from now on.")
