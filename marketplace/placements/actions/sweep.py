"""This will end what is late, and give back what silent machines held once it is safe."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from marketplace.domain.placement import (
    DEADLINES,
    DOOR_LATE,
    FUNDED,
    LATE_FAULTS,
    LEASE_ENDED,
    Event,
    Fault,
    NoTransition,
    PlacementState,
    kept,
)
from marketplace.domain.report import late_fault
from marketplace.kept_sql import kept_of_now
from marketplace.machines.actions.attend import attend, hears
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions import free
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement, PlacementEvent

logger = logging.getLogger(__name__)
BATCH_ROWS = 500
#: the event row of a placement that its machine still has after the quarantine
STUCK = "stuck"


def sweep(*, now: datetime) -> int:
    """Return how many placements this pass ended or freed.

    Nothing is late by the marketplace's own silence: while machines cannot reach it, it ends
    nothing, and when it comes back it puts the deadlines off by its absence.
    """
    if not hears(now=now):
        logger.warning("Not swept, as the site hears no machine")
        return 0
    with transaction.atomic():
        presence = attend(name="sweep", now=now)
        if presence.away:
            _put_off(presence.away)
    return _end_late(now) + _free_quarantined(now)


def _put_off(away: timedelta) -> None:
    """Move on what a machine or a look from outside had to do meanwhile; paid time runs on."""
    waiting = Placement.objects.filter(deadline_at__isnull=False).exclude(
        Q(state=PlacementState.RUNNING, reachable_at__isnull=False)
        | Q(state__in=(PlacementState.STOPPING, PlacementState.STOPPED))
    )
    # Locked in the order in which a sync moves its placements: neither waits for the other.
    ids = list(waiting.select_for_update().order_by("id").values_list("id", flat=True))
    Placement.objects.filter(id__in=ids).update(deadline_at=F("deadline_at") + away)


def _end_late(now: datetime) -> int:
    if not list(_any_late(now)):
        # As nearly always: it is the shorter question.
        return 0
    moved = one_by_one(
        Placement.objects.filter(deadline_at__lt=now).order_by("deadline_at", "id"),
        lambda placement: _end(placement, now),
        failed="Placement not swept",
        most=BATCH_ROWS,
    )
    return sum(moved)


@kept_of_now
def _any_late(now: datetime) -> QuerySet[Placement, tuple[Any, ...]]:
    return Placement.objects.filter(deadline_at__lt=now).order_by().values_list("id")[:1]


def _end(placement: Placement, now: datetime) -> bool:
    try:
        event, why = _late(placement, now)
        apply(placement=placement, event=event, now=now, changes=why)
    except (NoTransition, Overtaken):
        logger.info("Sweep overtaken", extra={"placement_id": placement.id})
        return False
    return True


def _late(placement: Placement, now: datetime) -> tuple[Event, dict[str, object]]:
    state = PlacementState(placement.state)
    awaits_door = state is PlacementState.RUNNING and placement.awaits_door
    if awaits_door and now < placement.funded_until:
        return _failed(placement, Event.FAIL, DOOR_LATE, now)
    if state is PlacementState.WAITING and (placement.starts or placement.is_interruptible):
        return _goes_back(placement, now)
    if state in FUNDED:
        return Event.LATE, {
            # Nothing was paid for beyond this moment, however late the sweep is.
            "stop_requested_at": placement.stop_requested_at or placement.funded_until,
            "reason_code": LEASE_ENDED,
            "reason": "The paid time is over.",
        }
    fault = late_fault(
        state,
        progress=placement.progress,
        accepted_at=placement.accepted_at,
        deadline_at=placement.deadline_at or now,
    )
    if placement.is_untold:
        return Event.LATE, _told(fault) | {"gone_at": now}
    # A stop keeps its own reason: that the machine never confirmed it is only its blame.
    if placement.reason_code:
        return Event.LATE, {"blame": fault.blame or ""}
    return _failed(placement, Event.LATE, fault, now)


def _failed(
    placement: Placement, event: Event, fault: Fault, now: datetime
) -> tuple[Event, dict[str, object]]:
    """Return how a start ends that came to nothing: what has files to lose goes back to its stop.

    Such a door is counted all the same (rentals/doors.py).
    """
    if not placement.starts or placement.state == PlacementState.COLLECTING:
        return event, _told(fault)
    stopped = {"reason": kept(fault.sentence), "stop_requested_at": now, "blame": ""}
    return Event.STOP, _told(fault) | stopped


def _goes_back(placement: Placement, now: datetime) -> tuple[Event, dict[str, object]]:
    """Return how a wait ends for which no room came: it is stopped, and tries again if it bids."""
    fault = LATE_FAULTS[PlacementState.WAITING]
    stopped = {"stop_requested_at": now, "reason": kept(fault.sentence)}
    if placement.is_interruptible:
        stopped["resume_due_at"] = now
    return Event.STOP, _told(fault) | stopped


def _told(fault: Fault) -> dict[str, object]:
    return {"blame": fault.blame or "", "reason_code": fault.code, "reason": fault.sentence}


def _free_quarantined(now: datetime) -> int:
    """Free what machines held that were silent for the whole quarantine.

    A machine that still talks to us says itself when it has nothing left of a placement.
    """
    over = now - timedelta(seconds=DEADLINES.quarantine_s)
    held = _held_since(over)
    if not list(_any_held(over)):
        # As nearly always: the longer questions are not asked at all.
        return 0
    # Its funded time bounds how long a machine that hears nothing keeps it running.
    silent = held.filter(machine__last_seen_at__lt=over, funded_until__lt=now)
    freed = one_by_one(
        silent.order_by("ended_at", "id"),
        lambda placement: _free(placement, over, now),
        failed="Placement not freed",
        most=BATCH_ROWS,
    )
    _warn_of_stuck(held.filter(machine__last_seen_at__gte=over), now)
    return sum(freed)


def _held_since(over: datetime) -> QuerySet[Placement]:
    return Placement.objects.filter(freed_at__isnull=True, ended_at__lt=over)


@kept_of_now
def _any_held(over: datetime) -> QuerySet[Placement, tuple[Any, ...]]:
    return _held_since(over).order_by().values_list("id")[:1]


def _free(placement: Placement, over: datetime, now: datetime) -> bool:
    is_free = free.free(placement=placement, now=now, silent_since=over)
    if is_free:
        logger.warning("Freed after quarantine", extra={"placement_id": placement.id})
    return is_free


def _warn_of_stuck(held: QuerySet[Placement], now: datetime) -> None:
    """Tell the operator, once each, of placements that a talking machine does not let go of."""
    untold = held.exclude(events__event=STUCK).order_by("ended_at", "id")
    for placement in untold[:BATCH_ROWS]:
        PlacementEvent.objects.create(
            placement=placement,
            at=now,
            event=STUCK,
            old_state=placement.state,
            new_state=placement.state,
        )
        logger.warning("Not let go by its machine", extra={"placement_id": placement.id})
