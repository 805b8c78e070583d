"""This will read machines for the pages, the sync and the stages above."""

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from django.db.models import DateField, Q, QuerySet, Sum, Value
from django.db.models.functions import Greatest, Now, TruncDate

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
    return dict(
        Machine.objects.filter(id__in=machine_ids)
        .order_by("id")
        .values_list("id", "desired_revision")
    )


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
    return uptimes_ppm(Machine.objects.filter(id=machine_id), now=now)[machine_id]


def uptimes_ppm(machines: QuerySet[Machine], *, now: datetime) -> dict[UUID, int]:
    """Return each machine's uptime, in millionths, in two queries however many they are.

    The window begins at midnight UTC; a machine enrolled later is measured since its enrolment.
    """
    first_day = (now - timedelta(days=UPTIME_DAYS - 1)).date()
    days = UptimeDay.objects.filter(
        machine__in=machines.order_by().values("id"),
        day__gte=Greatest(
            TruncDate("machine__enrolled_at", tzinfo=UTC),
            Value(first_day, DateField()),
        ),
    )
    sums = days.values("machine_id").annotate(up_ms=Sum("up_ms")).order_by("machine_id")
    up_ms = {row["machine_id"]: int(row["up_ms"]) for row in sums}
    found = machines.only("enrolled_at", "online", "last_seen_at", "uptime_counted_at")
    begun = datetime.combine(first_day, time(), UTC)
    return {
        machine.id: _uptime_ppm(machine, up_ms.get(machine.id, 0), begun=begun, now=now)
        for machine in found
    }


def _uptime_ppm(machine: Machine, up_ms: int, *, begun: datetime, now: datetime) -> int:
    start = max(begun, machine.enrolled_at)
    window_ms = (now - start) // timedelta(milliseconds=1)
    if window_ms <= 0:
        return 0
    if machine.online:
        # What was heard since the last step is not written down yet.
        unwritten = machine.last_seen_at - machine.uptime_counted_at
        up_ms += max(0, unwritten // timedelta(milliseconds=1))
    return min(1_000_000, up_ms * 1_000_000 // window_ms)
