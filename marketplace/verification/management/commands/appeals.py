"""This will show appeals that wait, or answer one: ``manage.py appeals [MACHINE --grant WHY]``."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from marketplace.domain.oversight import ActKind
from marketplace.domain.problem import Refused
from marketplace.oversight.record import by_command
from marketplace.verification.actions.appeal import answer
from marketplace.verification.models import Appeal


class Command(BaseCommand):
    help = "List the appeals that wait for an answer, or answer that of one machine."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("machine", nargs="?", help="the machine's id, or how it begins")
        answers = parser.add_mutually_exclusive_group()
        answers.add_argument("--grant", metavar="WHY", help="end the ban, and have it proven anew")
        answers.add_argument("--refuse", metavar="WHY", help="leave things as they are")

    def handle(self, *args: Any, **options: Any) -> None:
        """List or answer."""
        machine, grant, refuse = options["machine"], options["grant"], options["refuse"]
        if machine is None:
            return self._list()
        words = grant if grant is not None else refuse
        if words is None:
            raise CommandError("Say --grant WHY or --refuse WHY; the host reads why.")
        try:
            with transaction.atomic():
                now = timezone.now()
                answered = answer(
                    machine_id=self._named(machine),
                    granted=grant is not None,
                    words=words,
                    now=now,
                )
                by_command(
                    "appeals",
                    kind=ActKind.ANSWER_APPEAL,
                    subject=f"machine {answered.machine_id}",
                    reason=words,
                    person_id=answered.machine.host_id,
                    after={"granted": answered.granted},
                    now=now,
                )
        except Refused as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Appeal {'granted' if answered.granted else 'refused'}.")
        return None

    def _named(self, begins: str) -> UUID:
        """Return the one machine with a waiting appeal whose id begins so."""
        waiting = Appeal.objects.filter(answered_at=None).order_by("machine_id")
        ids = waiting.values_list("machine_id", flat=True)
        found = [each for each in ids if str(each).startswith(begins.lower()) and begins]
        if len(found) != 1:
            what = f"{len(found)} appeals wait" if found else "No appeal waits"
            raise CommandError(
                f"{what} for a machine whose id begins with {begins!r}; write more of it,"
                " as manage.py appeals lists it."
            )
        return found[0]

    def _list(self) -> None:
        waiting = Appeal.objects.filter(answered_at=None).select_related("machine")
        if not waiting:
            self.stdout.write("No appeal waits for an answer.")
        for one in waiting.order_by("made_at", "id"):
            # What a host wrote is shown without what would move a terminal's cursor.
            words = " ".join("".join(c if c.isprintable() else " " for c in one.text).split())
            self.stdout.write(f"{one.machine_id} {one.made_at:%Y-%m-%d %H:%M} UTC: {words}")
