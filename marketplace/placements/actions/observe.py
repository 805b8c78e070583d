"""This will take in what a machine says about its placements."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import (
    ENDED,
    Event,
    NoTransition,
    PlacementState,
)
from marketplace.domain.report import Report, accepted_deadline, judge, preparing_deadline
from marketplace.machines.actions import desire, lock
from marketplace.placements.actions import free
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement
from protocol.agent import ObservedPlacement, ObservedState
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)


def observe(*, machine_id: UUID, observed: Sequence[ObservedPlacement], now: datetime) -> None:
    """Move each placement as its machine reports; the same report twice changes nothing.

    Placements of other machines and unknown ones are ignored. One that something else moves at
    the same moment is left to the machine's next report.
    """
    known = {
        placement.id: placement
        for placement in Placement.objects.filter(
            machine_id=machine_id, id__in=[one.placement_id for one in observed]
        ).order_by("id")
    }
    for one in observed:
        placement = known.get(one.placement_id)
        # GONE is reported until it is desired no more: an old one is the usual case.
        if placement is None or placement.gone_at is not None:
            continue
        try:
            _observe_one(placement, one, now)
        except Overtaken:
            logger.info("Report overtaken", extra={"placement_id": placement.id})


def _observe_one(placement: Placement, one: ObservedPlacement, now: datetime) -> None:
    details = _details(placement, one, now)
    if placement.state in ENDED:
        _note_gone(placement, details, now)
        return
    step = judge(
        Report(
            observed=one.state,
            problem_code=one.problem.code if one.problem else None,
            problem_sentence=one.problem.message if one.problem else "",
            # A rental's first process is the machine's own: that it ended is no wish of the renter.
            exited=one.exit_code is not None and placement.kind == PlacementKind.JOB,
        ),
        state=PlacementState(placement.state),
        funded_until=placement.funded_until,
        now=now,
    )
    changes = details | _moments(placement, step.event, now)
    if step.blame is not None:
        changes["blame"] = step.blame
    if step.code and (step.event is Event.FAIL or not placement.reason_code):
        changes |= {"reason_code": step.code, "reason": step.sentence}
    try:
        apply(placement=placement, event=step.event, now=now, changes=changes)
    except NoTransition:
        _write(placement, details)


def _details(placement: Placement, one: ObservedPlacement, now: datetime) -> dict[str, Any]:
    """Return the told columns that differ from what is known."""
    told: dict[str, Any] = {"progress": one.progress, "run": max(one.run, placement.run)}
    if one.ssh_port is not None:
        told["ssh_port"] = one.ssh_port
    if one.ssh_host_key:
        told["ssh_host_key"] = one.ssh_host_key
    if one.state == ObservedState.GONE:
        told["gone_at"] = now
    if _goes_on(placement, one) and placement.deadline_at and placement.accepted_at:
        told["deadline_at"] = preparing_deadline(
            deadline_at=placement.deadline_at, accepted_at=placement.accepted_at, now=now
        )
    waits = placement.state == PlacementState.ACCEPTED and one.state == ObservedState.ACCEPTED
    if waits and placement.deadline_at and placement.accepted_at:
        told["deadline_at"] = accepted_deadline(
            deadline_at=placement.deadline_at, accepted_at=placement.accepted_at, now=now
        )
    return {name: value for name, value in told.items() if getattr(placement, name) != value}


def _goes_on(placement: Placement, one: ObservedPlacement) -> bool:
    was, still = placement.state == PlacementState.PREPARING, one.state == ObservedState.PREPARING
    return was and still and one.progress != placement.progress


def _moments(placement: Placement, event: Event, now: datetime) -> dict[str, datetime]:
    if event in (Event.ACCEPT, Event.PREPARE) and placement.accepted_at is None:
        return {"accepted_at": now}
    if event is Event.RUN:
        return {"running_at": now}
    return {}


def _note_gone(placement: Placement, details: Mapping[str, Any], now: datetime) -> None:
    """Close an ended placement, such as a swept one, once the machine has nothing left of it."""
    if "gone_at" not in details:
        return
    not_gone = Placement.objects.filter(id=placement.id, gone_at__isnull=True)
    with transaction.atomic():
        lock.lock(machine_id=placement.machine_id)
        if not_gone.update(gone_at=now):
            free.free(placement=placement, now=now)
            desire.bump(machine_id=placement.machine_id)


def _write(placement: Placement, details: Mapping[str, Any]) -> None:
    if details:
        Placement.objects.filter(id=placement.id, state=placement.state).update(**details)
