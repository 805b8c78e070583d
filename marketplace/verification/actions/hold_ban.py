"""This will hold a ban against its host's same machine under another key, and against nobody else.

Why only in one host's hands: docs/decisions/0040-a-ban-under-another-key.md.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
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
_BAN = ("machine__standing__banned_at", "machine__standing__ban_reason")


class _Banned(NamedTuple):
    """A banned machine, and its ban."""

    id: UUID
    host_id: int
    at: datetime
    #: empty: validators banned it
    reason: str


def hold(marks_of: Mapping[UUID, Marks], *, now: datetime) -> None:
    """Ban each of these machines that shows what a banned machine of its host showed."""
    machines = Machine.objects.filter(id__in=marks_of).order_by("id")
    values = {value for marks in marks_of.values() for _, value in marks}
    rows = MachineMark.objects.filter(
        machine__host_id__in=machines.order_by().values("host_id"),
        machine__standing__banned_at__isnull=False,
        value__in=values,
    ).order_by("id")
    shown: dict[_Banned, set[tuple[str, str]]] = defaultdict(set)
    columns = ("machine_id", "machine__host_id", *_BAN, "kind", "value")
    for *ban, kind, value in rows.values_list(*columns):
        shown[_Banned(*ban)].add((kind, value))
    # Nearly always nothing: then nobody has to be asked about.
    hosts = dict(machines.values_list("id", "host_id")) if shown else {}
    for banned, theirs in shown.items():
        for machine_id, marks in marks_of.items():
            mine = machine_id != banned.id and hosts.get(machine_id) == banned.host_id
            if mine and is_same(marks, theirs):
                _hold(machine_id, banned, now)


def _hold(machine_id: UUID, banned: _Banned, now: datetime) -> None:
    with transaction.atomic():
        noted = note.lock(machine_id, now)
        granted_since = noted.fresh_since is not None and noted.fresh_since >= banned.at
        if noted.banned_at is not None or granted_since:
            return
        # One of staff stays theirs: it takes no points under the new key either.
        MachineStanding.objects.filter(machine_id=machine_id).update(
            banned_at=now, ban_reason=banned.reason
        )
        text = (
            f"It shows the same hardware as your machine {str(banned.id)[:8]}, which is banned;"
            " a new key ends no ban. If it is another machine, or mended, appeal."
        )
        note.tell(machine_id, StandingState.BANNED, text, now=now)
        note.note(queries.standings([machine_id], now), now=now)
    logger.warning("Ban held", extra={"machine_id": machine_id, "banned_id": banned.id})
