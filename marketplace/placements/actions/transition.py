"""This will apply the placement table to the database: the only place that assigns a state."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from marketplace.domain.placement import (
    DEADLINES,
    ENDED,
    RUNS,
    STOPS,
    Event,
    PlacementState,
    advance,
    deadline,
)
from marketplace.machines import queries as machine_queries
from marketplace.machines.actions import desire, lock
from marketplace.placements.actions import free, unseen
from marketplace.placements.models import Placement, PlacementEvent
from protocol.agent import Want
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)
#: what a state that the marketplace itself enters asks of the machine
WANTS = {
    PlacementState.WAITING: Want.STOP,
    PlacementState.OFFERED: Want.RUN,
    PlacementState.STOPPING: Want.STOP,
    PlacementState.COLLECTING: Want.END,
} | dict.fromkeys(ENDED, Want.END)


class Overtaken(Exception):
    """Something else moved the placement first; look again."""


def apply(
    *, placement: Placement, event: Event, now: datetime, changes: Mapping[str, Any] | None = None
) -> PlacementState:
    """Move the placement by one row of the table and return its new state.

    One guarded UPDATE, its event row and, where it ends and the machine no longer has it, the
    return of what it held are one transaction. ``changes`` are further columns of this move.

    :raises NoTransition: when the table has no such row.
    :raises Overtaken: when the database no longer holds the placement as it was read.
    """
    old = PlacementState(placement.state)
    new = advance(old, event)
    running = old == PlacementState.RUNNING
    unseen_s = unseen.at_end(placement, changes=changes or {}, now=now) if running else 0
    columns: dict[str, Any] = dict(changes or {})
    columns["state"] = new
    columns["deadline_at"] = deadline(
        new, now=now, funded_until=placement.funded_until, awaits_door=placement.awaits_door
    )
    if placement.kind == PlacementKind.JOB and event is Event.COLLECT:
        # It ended by itself: to ask for its end would have its outputs thrown away.
        columns["deadline_at"] = now + timedelta(seconds=DEADLINES.outputs_s)
    elif new in WANTS:
        columns["want"] = WANTS[new]
    if new == PlacementState.STOPPED:
        columns["holds_compute"] = False
    if new not in RUNS:
        columns["outbid_stop_at"] = None
    if new not in STOPS:
        columns["resume_due_at"] = None
    if new in ENDED:
        columns["ended_at"] = now
    if columns.get("want") == Want.END:
        columns["registry_login"] = ""
    with transaction.atomic():
        if "want" in columns or new == PlacementState.STOPPED:
            lock.lock(machine_id=placement.machine_id)
        moved = Placement.objects.filter(
            # An extension or a door seen meanwhile moves these two, and with them what is late.
            id=placement.id,
            state=old,
            funded_until=placement.funded_until,
            deadline_at=placement.deadline_at,
        ).update(**columns)
        if not moved:
            raise Overtaken(f"Placement {placement.id} changed meanwhile.")
        for name, value in columns.items():
            setattr(placement, name, value)
        PlacementEvent.objects.create(
            placement=placement,
            at=now,
            event=event,
            old_state=old,
            new_state=new,
            reason_code=columns.get("reason_code", ""),
            unseen_s=unseen_s,
        )
        if placement.gone_at is not None and new in ENDED:
            free.free(placement=placement, now=now)
        if new == PlacementState.STOPPED:
            free.free_compute(placement=placement)
        if "want" in columns:
            desire.bump(machine_id=placement.machine_id)
        if new in (PlacementState.STOPPING, PlacementState.OFFERED):
            revision = machine_queries.revision(placement.machine_id)
            Placement.objects.filter(id=placement.id).update(stop_revision=revision)
    logger.info(
        "Placement moved",
        extra={"placement_id": placement.id, "old_state": str(old), "new_state": str(new)},
    )
    return new
