"""This will note that machines were heard from, and count the time that they are there."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from marketplace import many_rows
from marketplace.domain.machine import uptime_by_day, uptime_is_due
from marketplace.domain.problem import Refused
from marketplace.kept_sql import kept
from marketplace.machines.actions import describe
from marketplace.machines.models import Machine, UptimeDay
from protocol.agent import SyncRequest

logger = logging.getLogger(__name__)


class SyncReplayed(Refused):
    """Its signature proves who made it, not who sent it: anybody on the way may send it again."""

    code = "replayed"
    status = 401
    sentence = "This sync, or a newer one of the machine, was taken in before."


@dataclass(frozen=True, slots=True)
class Beat:
    """What one sync says about its machine."""

    machine_id: UUID
    request: SyncRequest
    #: what the machine signed as its time
    sent_at_ms: int


@dataclass(frozen=True, slots=True)
class _Known:
    online: bool
    uptime_counted_at: datetime
    sent_at_ms: int
    ports_total: int


def heartbeat(*, machine_id: UUID, request: SyncRequest, sent_at_ms: int, now: datetime) -> None:
    """Write down what a sync says about the machine itself.

    :raises SyncReplayed: when ``sent_at_ms`` is not above that of every sync taken in before.
    """
    beat = Beat(machine_id=machine_id, request=request, sent_at_ms=sent_at_ms)
    if machine_id not in heartbeats(beats=[beat], now=now):
        raise SyncReplayed


def heartbeats(*, beats: Sequence[Beat], now: datetime) -> frozenset[UUID]:
    """Write down what syncs, at most one of each machine, say about the machines themselves.

    Return whose sync is new: what was taken in before says nothing. The machines are locked until
    the transaction ends (actions/lock.py), so that of the same sync in two processes one is new.
    """
    with transaction.atomic(savepoint=False):
        known = _locked([beat.machine_id for beat in beats])
        new = [beat for beat in beats if known[beat.machine_id].sent_at_ms < beat.sent_at_ms]
        counted = {beat.machine_id for beat in new if _is_counted(known[beat.machine_id], now)}
        many_rows.update(
            Machine,
            {
                beat.machine_id: {
                    "sent_at_ms": beat.sent_at_ms,
                    "agent_version": beat.request.agent_version,
                    "boot_id": beat.request.boot_id,
                    "last_seen_at": now,
                    "ports_total": known[beat.machine_id].ports_total
                    if beat.request.ports is None
                    else beat.request.ports,
                    # One that can start nothing is heard from, and yet not for rent.
                    "online": beat.request.problem is None,
                    "problem": beat.request.problem.message if beat.request.problem else "",
                    "uptime_counted_at": now
                    if beat.machine_id in counted
                    else known[beat.machine_id].uptime_counted_at,
                }
                for beat in new
            },
        )
        add_uptime(
            (machine_id, known[machine_id].uptime_counted_at, now)
            for machine_id in sorted(counted)
            if known[machine_id].online
        )
        for beat in new:
            _log(beat, was_online=known[beat.machine_id].online)
            if beat.request.hardware is not None:
                describe.describe(machine_id=beat.machine_id, hardware=beat.request.hardware)
    return frozenset(beat.machine_id for beat in new)


def add_uptime(stretches: Iterable[tuple[UUID, datetime, datetime]]) -> None:
    """Add each machine's time there to its days; whoever locked its row counts it once."""
    days: list[tuple[UUID, date, int]] = [
        (machine_id, midnight.date(), up_ms)
        for machine_id, start, end in stretches
        for midnight, up_ms in uptime_by_day(start, end)
    ]
    if not days:
        return
    fields = {field.name: field for field in UptimeDay._meta.concrete_fields}
    told = [
        fields[name].get_db_prep_save(value, connection)
        for day in days
        for name, value in zip(("machine", "day", "up_ms"), day, strict=True)
    ]
    table = UptimeDay._meta.db_table
    rows = ", ".join(["(%s, %s, %s)"] * len(days))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (machine_id, day, up_ms) VALUES {rows}"  # noqa: S608
            " ON CONFLICT (machine_id, day)"
            f" DO UPDATE SET up_ms = {table}.up_ms + excluded.up_ms",
            told,
        )


def _locked(machine_ids: Sequence[UUID]) -> dict[UUID, _Known]:
    return {row[0]: _Known(*row[1:]) for row in _rows(machine_ids)}


@kept(Machine)
def _rows(machines: QuerySet[Machine], _now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
    rows = machines.select_for_update(no_key=True).order_by("id")
    return rows.values_list("id", "online", "uptime_counted_at", "sent_at_ms", "ports_total")


def _is_counted(known: _Known, now: datetime) -> bool:
    return not known.online or uptime_is_due(known.uptime_counted_at, now=now)


def _log(beat: Beat, *, was_online: bool) -> None:
    problem = beat.request.problem
    if problem is None and not was_online:
        logger.info("Machine online", extra={"machine_id": beat.machine_id})
    if problem is not None and was_online:
        logger.warning(
            "Machine cannot work", extra={"machine_id": beat.machine_id, "code": problem.code}
        )
