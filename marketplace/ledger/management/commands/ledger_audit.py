"""This will check that every account agrees with its transfers."""

from django.core.management.base import BaseCommand, CommandError

from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, Transfer


class Command(BaseCommand):
    """Exits with an error when anything disagrees."""

    help = "Recompute every ledger account from its transfers and name what does not agree."

    def handle(self, *args: object, **options: object) -> None:
        """Print the outcome in one line.

        :raises CommandError: with one line for each disagreement.
        """
        problems = audit()
        if problems:
            raise CommandError("\n".join(problems))
        accounts, transfers = Account.objects.count(), Transfer.objects.count()
        self.stdout.write(f"{accounts} accounts agree with {transfers} transfers and sum to zero.")
