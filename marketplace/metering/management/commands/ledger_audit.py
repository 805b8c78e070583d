"""This will check that every account and meter agrees with its transfers."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.metering import earned_sql
from marketplace.metering.actions.audit_money import audit_money
from marketplace.metering.actions.recount_earned import recount_earned
from marketplace.oversight.record import by_command


class Command(BaseCommand):
    """Exits with an error when anything disagrees."""

    help = "Recompute all accounts, holds, credit and meters and name what does not agree."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--recount-days",
            action="store_true",
            help="first count anew what hosts earned each day, from their transfers",
        )
        parser.add_argument(
            "--clear", action="store_true", help="let payouts go on whatever disagrees now"
        )

    def handle(self, *args: object, **options: Any) -> None:
        """Print the outcome in one line.

        :raises CommandError: with one line for each disagreement.
        """
        now = timezone.now()
        if options["recount_days"]:
            self._recount(now)
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

    def _recount(self, now: datetime) -> None:
        others = 0
        for host_id in earned_sql.hosts():
            with transaction.atomic():
                if not recount_earned(host_id=host_id):
                    continue
                by_command(
                    "ledger_audit",
                    kind=ActKind.RECOUNT,
                    subject=f"earnings of person {host_id}",
                    person_id=host_id,
                    now=now,
                )
            others += 1
        self.stdout.write(f"Hosts whose days of earnings were other ones: {others}.")
