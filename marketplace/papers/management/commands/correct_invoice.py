"""This will let an operator take an invoice back and issue it anew."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.domain.problem import Refused
from marketplace.oversight.record import by_command
from marketplace.papers.actions.correct import correct
from marketplace.papers.queries import invoice as find


class Command(BaseCommand):
    """The new one is made out by the billing details of now; no money moves."""

    help = "Take an invoice back by a credit note and issue it anew with today's details."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("number", help="such as INV-000017")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: object, **options: Any) -> None:
        """Correct it.

        :raises CommandError: when there is no such invoice, or it was corrected before.
        """
        try:
            invoice = find(options["number"])
            with transaction.atomic():
                now = timezone.now()
                note, made = correct(invoice=invoice, reason=options["reason"], now=now)
                by_command(
                    "correct_invoice",
                    kind=ActKind.CORRECT_INVOICE,
                    subject=f"invoice {invoice.number}",
                    reason=options["reason"],
                    person_id=invoice.user_id,
                    before={"invoice": invoice.number},
                    after={"invoice": made.number},
                    now=now,
                )
        except Refused as refused:
            raise CommandError(refused.detail) from None
        self.stdout.write(f"{note.number} takes {invoice.number} back; {made.number} replaces it.")
