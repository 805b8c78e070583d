"""This will take in machines' readings and what went wrong on them."""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from marketplace import many_rows
from marketplace.domain.placement import LIVE
from marketplace.domain.usage import content_of, slot_of
from marketplace.machines.models import Machine
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

    However many machines tell a reading, these are three statements. A machine speaks of its own
    cards and live placements only: so what it has bounds what is kept of it.
    """
    if usage:
        _keep(usage, now)
    for machine_id, told in incidents.items():
        _note(machine_id, told, now)


def _keep(usage: Mapping[UUID, Usage], now: datetime) -> None:
    gpu_uuids = _gpu_uuids([machine_id for machine_id, one in usage.items() if one.placements])
    card_uuids = _card_uuids([machine_id for machine_id, one in usage.items() if one.machine.cards])
    many_rows.insert(
        models.Reading,
        [
            {
                "machine": machine_id,
                "slot": slot_of(now),
                "at": now,
                "content": json.dumps(
                    content_of(
                        one,
                        gpu_uuids=gpu_uuids.get(machine_id, {}),
                        card_uuids=card_uuids.get(machine_id, frozenset()),
                    )
                ),
            }
            for machine_id, one in usage.items()
        ],
        instead_of=("machine", "slot"),
    )


def _gpu_uuids(machine_ids: Collection[UUID]) -> dict[UUID, dict[UUID, set[str]]]:
    """Return the GPUs of each live placement of each of the machines."""
    found: dict[UUID, dict[UUID, set[str]]] = {}
    if machine_ids:
        live = Placement.objects.filter(
            machine_id__in=machine_ids, gone_at__isnull=True, state__in=LIVE
        ).order_by("id", "leases__id")
        for machine_id, placement_id, gpu_uuid in live.values_list(
            "machine_id", "id", "leases__gpu_uuid"
        ):
            found.setdefault(machine_id, {}).setdefault(placement_id, set()).add(gpu_uuid or "")
    return found


def _card_uuids(machine_ids: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    """Return the cards of each of the machines."""
    if not machine_ids:
        return {}
    rows = Machine.objects.filter(id__in=machine_ids).order_by("id")
    return {
        machine_id: frozenset(gpu.get("card") or gpu["uuid"] for gpu in gpus or ())
        for machine_id, gpus in rows.values_list("id", "hardware__gpus")
    }


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
