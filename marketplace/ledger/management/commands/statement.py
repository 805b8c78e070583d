"""This will print what happened to one person's money."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.ledger import StatementLine
from marketplace.domain.money import format_usd
from marketplace.domain.oversight import ActKind
from marketplace.ledger import queries
from marketplace.oversight.record import by_command


class Command(BaseCommand):
    """Shows a renter's funds and a host's earnings."""

    help = "Print the statement of one person: their funds, then what their machines earned."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("email")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--limit", type=int, default=100, help="lines at most (100)")

    def handle(self, *args: object, **options: Any) -> None:
        """Print the statement.

        :raises CommandError: when nobody has this address.
        """
        user = get_user_model().objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {options['email']}.")
        with transaction.atomic():
            by_command(
                "statement",
                kind=ActKind.READ_STATEMENT,
                subject=f"person {user.pk}",
                person_id=user.pk,
                now=timezone.now(),
            )
        lines = queries.statement(user.pk, options["limit"])
        earned = queries.statement(user.pk, options["limit"], kinds=queries.EARNINGS)
        if options["json"]:
            self.stdout.write(json.dumps(_content(user.pk, lines, earned), indent=2))
            return
        self._write("Funds", lines)
        if earned:
            self._write("Earnings", earned)
        self.stdout.write(
            f"Balance {format_usd(queries.balance(user.pk))}, "
            f"held {format_usd(queries.held(user.pk))}, "
            f"earned {format_usd(queries.earned(user.pk))}"
        )

    def _write(self, title: str, lines: Sequence[StatementLine]) -> None:
        self.stdout.write(title)
        for line in reversed(lines):
            self.stdout.write(
                f"  {line.at:%Y-%m-%d %H:%M:%S}  {line.kind:<12}"
                f"{format_usd(line.amount_microusd):>14}{format_usd(line.total_microusd):>14}"
                f"  {line.note}"
            )


def _content(
    user_id: int, lines: Sequence[StatementLine], earned: Sequence[StatementLine]
) -> dict[str, object]:
    return {
        "items": [_item(line) for line in lines],
        "earnings": [_item(line) for line in earned],
        "balance_microusd": queries.balance(user_id),
        "held_microusd": queries.held(user_id),
        "earned_microusd": queries.earned(user_id),
    }


def _item(line: StatementLine) -> dict[str, object]:
    return {
        "since": line.since.isoformat(),
        "at": line.at.isoformat(),
        "kind": line.kind,
        "amount_microusd": line.amount_microusd,
        "note": line.note,
        "total_microusd": line.total_microusd,
    }
