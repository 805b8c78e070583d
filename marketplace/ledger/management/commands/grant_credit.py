"""This will give a person promo credit."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_date

from marketplace.domain.money import format_usd, usd
from marketplace.domain.oversight import ActKind
from marketplace.domain.problem import Refused
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.models import CreditGrant
from marketplace.oversight.record import by_command


class Command(BaseCommand):
    """Gives credit once: the same --cause again changes nothing."""

    help = "Give one person credit, which is spent before money and ends on a day (UTC)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("email")
        parser.add_argument("usd", help="dollars, such as 5.00")
        until = parser.add_mutually_exclusive_group(required=True)
        until.add_argument("--until", help="its last day, such as 2026-12-31")
        until.add_argument("--days", type=int, help="from now on")
        parser.add_argument("--note", default="Promotion", help="shown to them (Promotion)")
        parser.add_argument("--cause", help="a name of your own: granted once for each")

    def handle(self, *args: object, **options: Any) -> None:
        """Grant the credit and say until when it can be spent.

        :raises CommandError: when nobody has this address, or it is refused.
        """
        now = timezone.now()
        user = get_user_model().objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {options['email']}.")
        try:
            with transaction.atomic():
                cause = f"operator:{options['cause'] or uuid4()}"
                is_new = not CreditGrant.objects.filter(cause=cause).exists()
                granted = grant_credit(
                    user_id=user.pk,
                    amount_microusd=usd(options["usd"]),
                    expires_at=_end(options, now),
                    cause=cause,
                    note=options["note"][:200],
                    now=now,
                )
                if is_new:
                    by_command(
                        "grant_credit",
                        kind=ActKind.CREDIT,
                        subject=f"person {user.pk}",
                        reason=options["note"],
                        person_id=user.pk,
                        after={"credit": format_usd(granted.amount_microusd)},
                        now=now,
                    )
        except Refused as refused:
            raise CommandError(refused.detail) from None
        amount, until = format_usd(granted.amount_microusd), f"{granted.expires_at:%Y-%m-%d %H:%M}"
        self.stdout.write(f"{user.email} has {amount} of credit until {until} UTC.")


def _end(options: dict[str, Any], now: datetime) -> datetime:
    if options["days"] is not None:
        return now + timedelta(days=options["days"])
    try:
        day = parse_date(options["until"])
    except ValueError:
        day = None
    if day is None:
        raise CommandError("Write the last day as 2026-12-31.")
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
