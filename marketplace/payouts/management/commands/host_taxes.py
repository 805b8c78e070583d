"""This will print who earned what in one year, for the operator's tax adviser."""

import csv
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.oversight import ActKind
from marketplace.oversight.record import by_command
from marketplace.payouts import queries
from marketplace.payouts.statements import usd

COLUMNS = (
    "email", "legal_name", "country", "tax_id", "address",
    "rent_usd", "fee_usd", "earned_usd", "given_back_usd", "paid_out_usd",
)  # fmt: skip
YEAR_FIRST, YEAR_LAST = 2000, 2999
#: a cell that begins so is a formula to a spreadsheet
FORMULAS = ("=", "+", "-", "@", "\t")


class Command(BaseCommand):
    """Shows whole tax numbers: keep what it prints to yourself."""

    help = "Print a CSV line for each host with what they earned and were paid in one year (UTC)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--year", type=int, required=True)

    def handle(self, *args: object, **options: Any) -> None:
        """Print the lines.

        :raises CommandError: when it is no year.
        """
        year = options["year"]
        if not YEAR_FIRST <= year <= YEAR_LAST:
            raise CommandError(f"{year} is no year; write it as 2026.")
        with transaction.atomic():
            by_command(
                "host_taxes",
                kind=ActKind.READ_HOST_TAXES,
                subject=f"hosts of {year}",
                now=timezone.now(),
            )
        since, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        lines = csv.writer(self.stdout)
        lines.writerow(COLUMNS)
        hosts = User.objects.filter(accounts__kind=AccountKind.EARNINGS).order_by("email", "pk")
        for host in hosts.iterator(chunk_size=500):
            lines.writerow(_line(host, since, until))


def _line(host: User, since: datetime, until: datetime) -> list[str]:
    details, moved = queries.details(host.pk), queries.movements(host.pk, since, until)
    told = (
        (details.legal_name, details.country, details.tax_id, details.address)
        if details
        else ("", "", "", "")
    )
    sums = (
        moved.earned_microusd + moved.fee_microusd,
        moved.fee_microusd,
        moved.earned_microusd,
        moved.given_back_microusd,
        moved.paid_out_microusd,
    )
    return [*(_plain(text) for text in (host.email, *told)), *(usd(one) for one in sums)]


def _plain(text: str) -> str:
    """Return the text as no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULAS) else text
