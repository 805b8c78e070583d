"""This will print what a bank should know about a disputed payment."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.oversight.record import by_command
from marketplace.payments.evidence import evidence
from marketplace.payments.models import Dispute


class Command(BaseCommand):
    """Writes plain text, to be put into the processor's form for evidence."""

    help = "Print the evidence for a disputed payment as text."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("dispute", help="Stripe's name of it (dp_...)")

    def handle(self, *args: object, **options: Any) -> None:
        """Print it.

        :raises CommandError: when there is no such dispute.
        """
        found = Dispute.objects.filter(pk=options["dispute"]).select_related("top_up__user").first()
        if found is None:
            raise CommandError(f"There is no dispute {options['dispute']}.")
        with transaction.atomic():
            by_command(
                "dispute_evidence",
                kind=ActKind.READ_EVIDENCE,
                subject=f"dispute {found.pk}",
                person_id=found.top_up.user_id,
                now=timezone.now(),
            )
        self.stdout.write(evidence(found), ending="")
