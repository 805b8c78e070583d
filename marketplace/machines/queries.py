"""This will read machines for the pages, the sync and the stages above."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import DateField, Q, QuerySet, Sum, Value
from django.db.models.functions import Greatest, Now, TruncDate

from marketplace.kept_sql import kept
from marketplace.machines.models import Machine, UptimeDay

#: A change is seen when its transaction ends, and dated when it began, which is never that long
#: before; whoever misses it all the same is told when their held call ends.
CHANGED_LATELY = timedelta(seconds=5)
#: today and the days before it: whole days, as uptime is kept by the day (ADR 8)
UPTIME_DAYS = 30


def of_host(host_id: int) -> QuerySet[Machine]:
    """Return the host's machines, oldest first."""
    return Machine.objects.filter(host_id=host_id).order_by("enrolled_at", "id")


def revision(machine_id: UUID) -> int:
    """Return the revision of what is desired on the machine."""
    return Machine.objects.values_list("desired_revision", flat=True).get(id=machine_id)


def ids_by_key(machine_keys: Collection[str]) -> dict[str, UUID]:
    """Return the machine of each key, in hex, that is enrolled here."""
    rows = Machine.objects.filter(machine_key__in=machine_keys).order_by("id")
    return dict(rows.values_list("machine_key", "id"))


def newest_revisions(machine_ids: list[UUID]) -> dict[UUID, int]:
    """Return the revision of each of the machines, for one server's held-open syncs at once."""
    return dict(_revisions(machine_ids))


@kept(Machine)
def _revisions(machines: QuerySet[Machine], _now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
    return machines.order_by("id").values_list("id", "desired_revision")


def changed_revisions(machine_ids: Collection[UUID], new: Collection[UUID]) -> dict[UUID, int]:
    """Return the revision of each machine in ``new``, and of each where it rose a moment ago.

    For one server's held-open syncs, ten times a second: however many are held, it reads only what
    changed, by an index. ``machine_ids`` need not be asked for.
    """
    lately = Q(desired_at__gt=Now() - CHANGED_LATELY)
    found = Machine.objects.filter(lately).order_by("desired_at", "id")
    return dict(found.values_list("id", "desired_revision")) | (
        newest_revisions(list(new)) if new else {}
    )


def uptime_ppm(machine_id: UUID, *, now: datetime) -> int:
    """Return the share of the last days, in millionths, that the machine was there."""
    return uptimes_ppm([machine_id], now=now)[machine_id]


def uptimes_ppm(
    machines: QuerySet[Machine] | Collection[UUID], *, now: datetime
) -> dict[UUID, int]:
    """Return each machine's uptime, in millionths, in two queries however many they are.

    The window begins at midnight UTC; a machine enrolled later is measured since its enrolment.
    """
    up_ms = {machine_id: int(up_ms) for machine_id, up_ms in _up_ms(machines, now)}
    begun = datetime.combine(_first_day(now), time(), UTC)
    return {
        machine_id: _uptime_ppm(seen, up_ms.get(machine_id, 0), begun=begun, now=now)
        for machine_id, *seen in _seen(machines, now)
    }


def _first_day(now: datetime) -> date:
    return (now - timedelta(days=UPTIME_DAYS - 1)).date()


@kept(Machine)
def _up_ms(machines: QuerySet[Machine], now: datetime) -> QuerySet[UptimeDay, tuple[Any, ...]]:
    days = UptimeDay.objects.filter(
        machine__in=machines.order_by().values("id"),
        day__gte=Greatest(
            TruncDate("machine__enrolled_at", tzinfo=UTC),
            Value(_first_day(now), DateField()),
        ),
    )
    return days.values_list("machine_id").annotate(Sum("up_ms")).order_by("machine_id")


@kept(Machine)
def _seen(machines: QuerySet[Machine], now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
    columns = ("id", "enrolled_at", "online", "last_seen_at", "uptime_counted_at")
    return machines.order_by("id").values_list(*columns)


def _uptime_ppm(seen: Sequence[Any], up_ms: int, *, begun: datetime, now: datetime) -> int:
    enrolled_at, online, last_seen_at, counted_at = seen
    start = max(begun, enrolled_at)
    window_ms = (now - start) // timedelta(milliseconds=1)
    if window_ms <= 0:
        return 0
    if online:
        # What was heard since the last step is not written down yet.
        unwritten = last_seen_at - counted_at
        up_ms += max(0, unwritten // timedelta(milliseconds=1))
    return int(min(1_000_000, up_ms * 1_000_000 // window_ms))
