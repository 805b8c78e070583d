"""This will hold a ban against its host's same machine under another key, and against nobody else.

Why only in one host's hands: docs/decisions/0040-a-ban-under-another-key.md.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.same_machine import is_same
from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions import note
from marketplace.verification.models import MachineMark, MachineStanding

logger = logging.getLogger(__name__)

Marks = frozenset[tuple[str, str]]


def hold(marks_of: Mapping[UUID, Marks], *, now: datetime) -> None:
    """Ban each of these machines that shows what a banned machine of its host showed."""
    machines = Machine.objects.filter(id__in=marks_of).order_by("id")
    values = {value for marks in marks_of.values() for _, value in marks}
    rows = MachineMark.objects.filter(
        machine__host_id__in=machines.order_by().values("host_id"),
        machine__standing__banned_at__isnull=False,
        value__in=values,
    ).order_by("id")
    shown: dict[tuple[UUID, int, datetime], set[tuple[str, str]]] = defaultdict(set)
    columns = ("machine_id", "machine__host_id", "machine__standing__banned_at", "kind", "value")
    for banned_id, host_id, banned_at, kind, value in rows.values_list(*columns):
        shown[banned_id, host_id, banned_at].add((kind, value))
    # Nearly always nothing: then nobody has to be asked about.
    hosts = dict(machines.values_list("id", "host_id")) if shown else {}
    for (banned_id, host_id, banned_at), theirs in shown.items():
        for machine_id, marks in marks_of.items():
            mine = machine_id != banned_id and hosts.get(machine_id) == host_id
            if mine and is_same(marks, theirs):
                _hold(machine_id, banned_id, banned_at, now)


def _hold(machine_id: UUID, banned_id: UUID, banned_at: datetime, now: datetime) -> None:
    with transaction.atomic():
        noted = note.lock(machine_id, now)
        granted_since = noted.fresh_since is not None and noted.fresh_since >= banned_at
        if noted.banned_at is not None or granted_since:
            return
        MachineStanding.objects.filter(machine_id=machine_id).update(banned_at=now)
        text = (
            f"It shows the same hardware as your machine {str(banned_id)[:8]}, which is banned;"
            " a new key ends no ban. If it is another machine, or mended, appeal."
        )
        note.tell(machine_id, StandingState.BANNED, text, now=now)
        note.note(queries.standings(Machine.objects.filter(id=machine_id), now), now=now)
    logger.warning("Ban held", extra={"machine_id": machine_id, "banned_id": banned_id})
