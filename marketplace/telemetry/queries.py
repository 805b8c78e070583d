"""This will read how placements and machines do."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain.usage import HISTORY_S, Point, points
from marketplace.domain.usage_summary import Span, Summary, of_point, read
from marketplace.telemetry.models import Incident, Reading, UsageSummary
from protocol.usage import MachineUsage, PlacementUsage

#: a reading that is older says nothing about now
FRESH = timedelta(seconds=60)
INCIDENTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class TrafficReading:
    """How far a placement's counters of traffic had come."""

    at: datetime
    #: they begin anew with each run
    run: int
    #: both ways together
    bytes: int


def usage(*, machine_id: UUID, placement_id: UUID, now: datetime) -> tuple[Point, ...]:
    """Return the placement's last hour, the oldest point first; one query."""
    since = now - timedelta(seconds=HISTORY_S)
    # Of a machine with many placements only this one's part is read.
    own = f"content__placements__{placement_id}"
    rows = (
        Reading.objects.filter(machine_id=machine_id, at__gt=since)
        .order_by("at", "id")
        .values_list("at", own)
    )
    return points((at, PlacementUsage.model_validate(one)) for at, one in rows if one is not None)


def metrics(
    *, machine_id: UUID, placement_id: UUID, span: Span, now: datetime
) -> tuple[Summary, ...]:
    """Return what the placement used over the span, the oldest first; one query."""
    if span is Span.HOUR:
        found = usage(machine_id=machine_id, placement_id=placement_id, now=now)
        return tuple(of_point(point) for point in found)
    rows = UsageSummary.objects.filter(
        placement_id=placement_id, step_s=span.step_s, at__gt=now - span.length
    )
    return tuple(
        read(at, content) for at, content in rows.order_by("at").values_list("at", "content")
    )


def traffic(
    *, machine_id: UUID, placement_id: UUID, since: datetime, until: datetime
) -> Sequence[TrafficReading]:
    """Return the placement's counters after ``since``, the oldest first; an hour of them is kept.

    A reading that tells no traffic is left out.
    """
    own = f"content__placements__{placement_id}"
    rows = (
        Reading.objects.filter(machine_id=machine_id, at__gt=since, at__lte=until)
        .order_by("at", "id")
        .values_list("at", own)
    )
    found = []
    for at, one in rows:
        if one is None:
            continue
        usage = PlacementUsage.model_validate(one)
        if usage.received_bytes is not None and usage.sent_bytes is not None:
            total = usage.received_bytes + usage.sent_bytes
            found.append(TrafficReading(at=at, run=usage.run, bytes=total))
    return found


def machine_usage(machine_ids: Collection[UUID], *, now: datetime) -> dict[UUID, MachineUsage]:
    """Return how each of the machines does now, where it has said so; one query."""
    rows = (
        Reading.objects.filter(machine_id__in=machine_ids, at__gt=now - FRESH)
        .order_by("at", "id")
        .values_list("machine_id", "content__machine")
    )
    return {machine_id: MachineUsage.model_validate(content) for machine_id, content in rows}


def incidents_of_placement(placement_id: UUID) -> QuerySet[Incident]:
    """Return what went wrong for a placement, newest first."""
    found = Incident.objects.filter(placement_id=placement_id)
    return found.order_by("-at", "id")[:INCIDENTS_SHOWN]


def incidents_of_machines(machine_ids: Collection[UUID]) -> QuerySet[Incident]:
    """Return what went wrong on the machines, what was told newest first."""
    found = Incident.objects.filter(machine_id__in=machine_ids)
    return found.order_by("-told_at", "id")[:INCIDENTS_SHOWN]
