"""This will check that every account and meter agrees with its transfers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.metering.actions.audit_money import audit_money
from marketplace.oversight.record import by_command


class Command(BaseCommand):
    """Exits with an error when anything disagrees."""

    help = "Recompute all accounts, holds, credit and meters and name what does not agree."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--clear", action="store_true", help="let payouts go on whatever disagrees now"
        )

    def handle(self, *args: object, **options: Any) -> None:
        """Print the outcome in one line.

        :raises CommandError: with one line for each disagreement.
        """
        now = timezone.now()
        run = audit_money(now=now)
        if options["clear"]:
            with transaction.atomic():
                run.cleared_at = now
                run.save(update_fields=["cleared_at"])
                by_command(
                    "ledger_audit",
                    kind=ActKind.CLEAR_AUDIT,
                    subject=f"audit run {run.pk}",
                    after={"problems": list(run.problems)},
                    now=now,
                )
        if run.problems:
            raise CommandError("\n".join(run.problems))
        self.stdout.write(
            f"{run.accounts} accounts agree with {run.transfers} transfers and sum to zero."
        )
