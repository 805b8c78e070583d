"""This will read machines for the pages, the sync and the stages above."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet, Sum

from marketplace.machines.models import Machine, UptimeDay

UPTIME_WINDOW = timedelta(days=30)


def of_host(host_id: int) -> QuerySet[Machine]:
    """Return the host's machines, oldest first."""
    return Machine.objects.filter(host_id=host_id).order_by("enrolled_at", "id")


def revision(machine_id: UUID) -> int:
    """Return the revision of what is desired on the machine."""
    return Machine.objects.values_list("desired_revision", flat=True).get(id=machine_id)


def newest_revisions(machine_ids: list[UUID]) -> dict[UUID, int]:
    """Return the revision of each of the machines, for one server's held-open syncs at once."""
    return dict(
        Machine.objects.filter(id__in=machine_ids)
        .order_by("id")
        .values_list("id", "desired_revision")
    )


def uptime_ppm(machine_id: UUID, *, now: datetime) -> int:
    """Return the share of the last 30 days, in millionths, that the machine was there.

    A machine enrolled later than that is measured since its enrolment.
    """
    machine = Machine.objects.only(
        "enrolled_at", "online", "last_seen_at", "uptime_counted_at"
    ).get(id=machine_id)
    start = max(now - UPTIME_WINDOW, machine.enrolled_at)
    window_ms = (now - start) // timedelta(milliseconds=1)
    if window_ms <= 0:
        return 0
    up_ms = (
        UptimeDay.objects.filter(machine_id=machine_id, day__gte=start.date()).aggregate(
            up_ms=Sum("up_ms")
        )["up_ms"]
        or 0
    )
    if machine.online:
        # What was heard since the last step is not written down yet.
        unwritten = machine.last_seen_at - machine.uptime_counted_at
        up_ms += max(0, unwritten // timedelta(milliseconds=1))
    return min(1_000_000, int(up_ms) * 1_000_000 // window_ms)
