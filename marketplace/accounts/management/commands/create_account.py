"""This will make a person's account without the web page, for operators and for the demo."""

import sys
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from marketplace.accounts.actions import prove_email
from marketplace.accounts.models import User
from marketplace.domain.oversight import ActKind
from marketplace.oversight.record import by_command


class Command(BaseCommand):
    help = (
        "Make an account; one that exists gets the new password. "
        "The password is asked for, or read from stdin where that is no terminal."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address. A password in the arguments would stand in the list of processes."""
        parser.add_argument("email")
        parser.add_argument(
            "--operator",
            action="store_true",
            help="may do everything in the console, and read the admin pages",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make or change the account."""
        email = options["email"].strip().lower()
        password = getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        try:
            validate_email(email)
            validate_password(password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        known = User.objects.filter(email=email).first()
        if known is not None and known.is_team:
            raise CommandError("That is a team: nobody logs in as one.")
        user = known or User(email=email)
        user.set_password(password)
        user.is_staff = user.is_superuser = options["operator"] or user.is_superuser
        with transaction.atomic():
            user.save()
            if known is None:
                # The operator knows whom it is for.
                prove_email.prove(user=user)
            by_command(
                "create_account",
                kind=ActKind.ACCOUNT,
                subject=f"person {user.pk}",
                person_id=user.pk,
                before={"there": known is not None},
                after={"operator": user.is_superuser},
                now=timezone.now(),
            )
        if user.is_active:
            self.stdout.write(f"{email} can log in.")
        else:
            self.stdout.write(f"{email} has the new password, and is banned: lift the ban first.")
