"""This will take in what a machine says about its placements."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from marketplace.domain.placement import ENDED, TABLE, Event, NoTransition, PlacementState
from marketplace.domain.report import (
    Report,
    Step,
    accepted_deadline,
    judge,
    preparing_deadline,
)
from marketplace.kept_sql import kept
from marketplace.machines.actions import desire, lock
from marketplace.placements.actions import free
from marketplace.placements.actions.observe_workload import of_workload
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.known import Known
from marketplace.placements.models import Placement
from protocol.agent import ObservedPlacement, ObservedState
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)
#: what follows from no report, and costs as much to read as all the rest of one
UNREAD = (
    *("workload", "authorized_keys", "gpu_uuids", "created_at", "running_at", "reachable_at"),
    *("door_open_since", "door_seen_at", "door_missed_at", "door_looks", "look_due_at"),
    *("stop_requested_at", "ended_at", "freed_at", "refused_interval", "ssh_host", "reason"),
)


@dataclass(frozen=True, slots=True)
class News:
    """What a report says of a placement that is not known yet."""

    placement: Placement
    details: Mapping[str, Any]
    #: None: it ended, or stays as it is
    step: Step | None


def observe(
    *,
    machine_id: UUID,
    observed: Sequence[ObservedPlacement],
    now: datetime,
    revision: int | None = None,
) -> None:
    """Move each placement as its machine reports; the same report twice changes nothing.

    ``revision``: the newest that the machine had heard of. None: all of them.
    Placements of other machines and unknown ones are ignored. One that something else moves at
    the same moment is left to the machine's next report.
    """
    heard = {} if revision is None else {machine_id: revision}
    follow(found=news(told={machine_id: observed}, heard=heard, now=now), now=now)


def news(
    *,
    told: Mapping[UUID, Sequence[ObservedPlacement]],
    heard: Mapping[UUID, int],
    now: datetime,
) -> list[News]:
    """Return what machines' reports, by machine, change, in a query however many they are.

    Of those that something else moves meanwhile nothing is new: their machines tell it again.
    ``heard``: the newest revision that a machine knew of. A machine that is missing knew of all.
    """
    ids = [one.placement_id for observed in told.values() for one in observed]
    if not ids:
        return []
    # GONE is reported until it is desired no more: an old one is the usual case.
    known = {row[0]: Known._make(row) for row in _known(ids)}
    found: list[tuple[UUID, dict[str, Any], Step | None]] = []
    for machine_id, observed in told.items():
        for one in observed:
            placement = known.get(one.placement_id)
            if placement is None or placement.machine_id != machine_id:
                continue
            if _is_of_an_earlier_stop(placement, one, heard.get(machine_id)):
                continue
            details, step = _news(placement, one, now)
            if step is not None or details:
                found.append((placement.id, details, step))
    changed = (
        Placement.objects.filter(id__in={one[0] for one in found}, gone_at=None)
        .order_by("id")
        .defer(*UNREAD)
        if found
        else ()
    )
    still = {one.id: one for one in changed if one.state == known[one.id].state}
    return [
        News(still[placement_id], details, step)
        for placement_id, details, step in found
        if placement_id in still
    ]


@kept(Placement)
def _known(rows: QuerySet[Placement], _now: datetime) -> QuerySet[Placement, tuple[Any, ...]]:
    return rows.filter(gone_at=None).order_by("id").values_list(*Known._fields)


def follow(*, found: Iterable[News], now: datetime) -> None:
    """Do what follows from the news."""
    for new in found:
        try:
            _follow(new, now)
        except (NoTransition, Overtaken):
            logger.info("Report overtaken", extra={"placement_id": new.placement.id})


def _is_of_an_earlier_stop(placement: Known, one: ObservedPlacement, revision: int | None) -> bool:
    """Say whether the machine tells of a stop that came before the newest stop or start."""
    stopped = one.state == ObservedState.STOPPED
    return stopped and revision is not None and revision < placement.stop_revision


def _news(
    placement: Known, one: ObservedPlacement, now: datetime
) -> tuple[dict[str, Any], Step | None]:
    details = _details(placement, one, now)
    if placement.state in ENDED:
        ended = {name: value for name, value in details.items() if name == "gone_at"}
        return ended, None
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
    moves = (PlacementState(placement.state), step.event) in TABLE
    return details, step if moves else None


def _follow(new: News, now: datetime) -> None:
    placement, step = new.placement, new.step
    if placement.state in ENDED:
        _note_gone(placement, now)
        return
    if step is None:
        _write(placement, new.details)
        _tell_change(placement, new.details)
        return
    changes = dict(new.details) | _moments(placement, step.event, now)
    if step.blame is not None:
        changes["blame"] = step.blame
    if step.code and (step.event in (Event.FAIL, Event.STOP) or not placement.reason_code):
        changes |= {"reason_code": step.code, "reason": step.sentence}
    apply(placement=placement, event=step.event, now=now, changes=changes)
    _tell_change(placement, new.details)


def _details(placement: Known, one: ObservedPlacement, now: datetime) -> dict[str, Any]:
    """Return the told columns that differ from what is known."""
    told: dict[str, Any] = {"progress": one.progress, "run": max(one.run, placement.run)}
    told |= of_workload(placement, one)
    if one.ssh_port is not None:
        told["ssh_port"] = one.ssh_port
    if one.ssh_host_key:
        told["ssh_host_key"] = one.ssh_host_key
    if placement.kind == PlacementKind.JOB:
        told |= _result(one)
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
    # What is not read here is told by a change alone.
    return {
        name: value for name, value in told.items() if getattr(placement, name, UNREAD) != value
    }


def _result(one: ObservedPlacement) -> dict[str, Any]:
    told: dict[str, Any] = {} if one.exit_code is None else {"exit_code": one.exit_code}
    if one.outputs:
        told["outputs"] = [file.model_dump() for file in one.outputs]
    return told


def _goes_on(placement: Known, one: ObservedPlacement) -> bool:
    was, still = placement.state == PlacementState.PREPARING, one.state == ObservedState.PREPARING
    return was and still and one.progress != placement.progress


def _moments(placement: Placement, event: Event, now: datetime) -> dict[str, datetime]:
    if event in (Event.ACCEPT, Event.PREPARE) and placement.accepted_at is None:
        return {"accepted_at": now}
    if event is Event.RUN:
        return {"running_at": now}
    if event is Event.STOP:
        # Its own word earns a machine nothing beyond the newest good look.
        return {"stop_requested_at": now if placement.door is None else placement.door.seen_at}
    return {}


def _note_gone(placement: Placement, now: datetime) -> None:
    """Close an ended placement, such as a swept one, once the machine has nothing left of it."""
    not_gone = Placement.objects.filter(id=placement.id, gone_at__isnull=True)
    with transaction.atomic():
        lock.lock(machine_id=placement.machine_id)
        if not_gone.update(gone_at=now):
            free.free(placement=placement, now=now)
            desire.bump(machine_id=placement.machine_id)


def _write(placement: Placement, details: Mapping[str, Any]) -> None:
    Placement.objects.filter(id=placement.id, state=placement.state).update(**details)


def _tell_change(placement: Placement, details: Mapping[str, Any]) -> None:
    """Let the machine know that a change which it could not make is desired no more."""
    if "edition" in details:
        desire.bump(machine_id=placement.machine_id)
