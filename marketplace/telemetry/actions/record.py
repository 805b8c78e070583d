"""This will take in machines' readings and what went wrong on them."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from marketplace.domain.usage import slot_of
from marketplace.placements.models import Placement
from marketplace.telemetry import models
from protocol.usage import Incident, Usage

logger = logging.getLogger(__name__)

#: of one machine; whoever tells more in a day is not heard further that day
INCIDENTS_A_DAY_MAX = 1000
DAY = timedelta(days=1)
KEPT = timedelta(days=30)


def record(
    *, usage: Mapping[UUID, Usage], incidents: Mapping[UUID, Sequence[Incident]], now: datetime
) -> None:
    """Keep both, by machine; an incident that is told twice is kept once.

    However many machines tell a reading, these are one statement.
    """
    if usage:
        _keep(usage, now)
    for machine_id, told in incidents.items():
        _note(machine_id, told, now)


def forget_incidents(*, now: datetime) -> None:
    """Forget what happened a month ago."""
    models.Incident.objects.filter(told_at__lt=now - KEPT).delete()


def _keep(usage: Mapping[UUID, Usage], now: datetime) -> None:
    models.Reading.objects.bulk_create(
        [
            models.Reading(
                machine_id=machine_id,
                slot=slot_of(now),
                at=now,
                content=one.model_dump(mode="json", exclude_defaults=True),
            )
            for machine_id, one in usage.items()
        ],
        update_conflicts=True,
        unique_fields=["machine", "slot"],
        update_fields=["at", "content"],
    )


def _note(machine_id: UUID, incidents: Sequence[Incident], now: datetime) -> None:
    today = models.Incident.objects.filter(machine_id=machine_id, told_at__gt=now - DAY)
    room = max(0, INCIDENTS_A_DAY_MAX - today.count())
    if len(incidents) > room:
        logger.warning("Incidents not heard", extra={"machine_id": machine_id})
    placement_ids = {one.placement_id for one in incidents if one.placement_id is not None}
    # A machine speaks of its own placements only: nobody else's page shows what it says.
    own = set(
        Placement.objects.filter(machine_id=machine_id, id__in=placement_ids).values_list(
            "id", flat=True
        )
        if placement_ids
        else ()
    )
    models.Incident.objects.bulk_create(
        [_row(machine_id, one, own, now) for one in incidents[:room]], ignore_conflicts=True
    )


def _row(machine_id: UUID, one: Incident, own: set[UUID], now: datetime) -> models.Incident:
    at = datetime.fromtimestamp(one.at_ms / 1000, tz=UTC)
    return models.Incident(
        machine_id=machine_id,
        incident_id=one.incident_id,
        placement_id=one.placement_id if one.placement_id in own else None,
        at=min(now, max(at, now - KEPT)),
        told_at=now,
        kind=one.kind,
        blame=one.blame,
        gpu_uuid=one.gpu_uuid,
        count=one.count,
        sentence=one.sentence,
    )
