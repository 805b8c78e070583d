"""This will check that every account and meter agrees with its transfers."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.metering.actions.audit_money import audit_money


class Command(BaseCommand):
    """Exits with an error when anything disagrees."""

    help = "Recompute all accounts, holds, credit and meters and name what does not agree."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        """Print the outcome in one line.

        :raises CommandError: with one line for each disagreement.
        """
        run = audit_money(now=timezone.now())
        if run.problems:
            raise CommandError("\n".join(run.problems))
        self.stdout.write(
            f"{run.accounts} accounts agree with {run.transfers} transfers and sum to zero."
        )
