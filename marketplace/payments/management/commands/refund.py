"""This will send unspent money of one payment back to the card it came from."""

from typing import Any
from uuid import UUID, uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from marketplace.domain.money import format_usd, usd
from marketplace.domain.oversight import ActKind
from marketplace.domain.problem import Refused
from marketplace.oversight.record import by_command
from marketplace.payments.actions.refund import refund
from marketplace.payments.models import TopUp


class Command(BaseCommand):
    """Takes it from the wallet first, so nobody can spend what goes back."""

    help = "Send unspent money of a payment back to its card."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("payment", help="our id of the payment, or Stripe's (pi_...)")
        parser.add_argument("amount", help="dollars, such as 12.50")
        parser.add_argument("--note", required=True, help="why, for the records")

    def handle(self, *args: object, **options: Any) -> None:
        """Send it.

        :raises CommandError: when there is no such payment, or this much cannot go back.
        """
        name = options["payment"]
        try:
            found = TopUp.objects.filter(pk=UUID(name)).first()
        except ValueError:
            found = TopUp.objects.filter(reference=name).first()
        if found is None:
            raise CommandError(f"There is no payment {name}.")
        now = timezone.now()
        try:
            made = refund(
                top_up_id=found.pk,
                amount_microusd=usd(options["amount"]),
                note=options["note"],
                cause=f"operator:{uuid4()}",
                now=now,
                begun=lambda row: by_command(
                    "refund",
                    kind=ActKind.REFUND,
                    subject=f"payment {row.top_up_id}",
                    reason=options["note"],
                    person_id=found.user_id,
                    after={"sent back": format_usd(row.amount_microusd)},
                    now=now,
                ),
            )
        except Refused as refused:
            raise CommandError(refused.detail) from None
        self.stdout.write(f"Refund of {format_usd(made.amount_microusd)}: {made.state}.")
        if made.reason:
            self.stdout.write(made.reason)
