"""This will take cards again from somebody who lost a dispute that the site paid for."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.oversight.record import by_command
from marketplace.payments.actions.let_pay import NotBarred, let_pay
from marketplace.payments.models import Payer


class Command(BaseCommand):
    """Lifts the mark alone: what the site paid stays in its books."""

    help = "Take cards again from somebody after a lost dispute."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("email")

    def handle(self, *args: object, **options: Any) -> None:
        """Lift it.

        :raises CommandError: when no such person is barred.
        """
        payer = Payer.objects.filter(user__email=options["email"].strip().lower()).first()
        if payer is None:
            raise CommandError(f"No cards of {options['email']} are barred.")
        with transaction.atomic():
            try:
                let_pay(user_id=payer.user_id)
            except NotBarred:
                raise CommandError(f"No cards of {options['email']} are barred.") from None
            by_command(
                "let_pay",
                kind=ActKind.LET_PAY,
                subject=f"person {payer.user_id}",
                person_id=payer.user_id,
                before={"cards": "barred"},
                after={"cards": "taken"},
                now=timezone.now(),
            )
        self.stdout.write("Their cards are taken again.")
