"""This will look again and again at the SSH doors of running placements, and stop those lost."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from django.db import transaction

from marketplace import many_rows
from marketplace.domain import door as doors
from marketplace.domain.machine import silent_since
from marketplace.domain.placement import DOOR_LOST, Event, NoTransition, PlacementState, kept
from marketplace.machines.models import Machine
from marketplace.placements import queries
from marketplace.placements.actions import lock, note_shut
from marketplace.placements.actions.prove_reachable import door_of, written
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Probe

logger = logging.getLogger(__name__)
DOORS_MAX = 32
#: open doors of other hosts that are asked whether it is we who see nothing
CONTROLS = 3


def look_again(*, now: datetime, probe: Probe, chance: Random) -> int:
    """Return how many of the doors that are due this pass saw.

    No transaction is open while the network is used.
    """
    watched = _claim(now, chance)
    if not watched:
        return 0
    seen = probe.look([door_of(placement) for placement in watched])
    blind = not seen and _sees_nothing(watched, probe, chance)
    if blind:
        # Our own trouble stops no rental. Yet it proves no second either, or a host whose other
        # account owns the doors we ask would be paid for shut ones.
        logger.error("No door answers", extra={"doors": len(watched)})
    missed = [placement for placement in watched if placement.id not in seen]
    _note_seen([placement for placement in watched if placement.id in seen], seen, now)
    in_touch = _in_touch(missed, now)
    for placement in missed:
        _note_missed(placement, now, tells=not blind and placement.machine_id in in_touch)
    return len(seen)


def _claim(now: datetime, chance: Random) -> list[Placement]:
    """Return what is due, due again later: a pass beside this one leaves it alone."""
    due = queries.look_due(now, rows_max=DOORS_MAX)
    if not due:
        return []
    for placement in due:
        placement.look_due_at = doors.next_look(now=now, chance=chance.random())
    with transaction.atomic():
        lock.lock(placement_ids=[placement.id for placement in due])
        many_rows.update(
            Placement, {placement.id: {"look_due_at": placement.look_due_at} for placement in due}
        )
    return due


def _sees_nothing(watched: Sequence[Placement], probe: Probe, chance: Random) -> bool:
    """Say whether open doors of hosts that have none among the watched do not answer either."""
    hosts = {placement.machine.host_id for placement in watched}
    ids = list(queries.open_doors(but_of_hosts=hosts).values_list("id", flat=True))
    if not ids:
        return False
    controls = Placement.objects.filter(id__in=chance.sample(ids, min(CONTROLS, len(ids))))
    return not probe.look([door_of(placement) for placement in controls.order_by("id")])


def _in_touch(missed: Sequence[Placement], now: datetime) -> set[UUID]:
    heard = Machine.objects.filter(
        id__in={placement.machine_id for placement in missed}, last_seen_at__gte=silent_since(now)
    )
    return set(heard.values_list("id", flat=True)) if missed else set()


def _note_seen(
    placements: Sequence[Placement], seen: Mapping[UUID, timedelta], now: datetime
) -> None:
    were_shut = [placement for placement in placements if placement.door_missed_at is not None]
    for placement in placements:
        if placement.door is not None:
            door = doors.seen(placement.door, at=now + seen[placement.id])
            for name, value in written(door).items():
                setattr(placement, name, value)
    with transaction.atomic():
        states = lock.lock(placement_ids=[placement.id for placement in placements])
        many_rows.update(
            Placement,
            {
                placement.id: written(placement.door)
                for placement in placements
                if placement.door is not None and states.get(placement.id) == PlacementState.RUNNING
            },
        )
        for placement in were_shut:
            note_shut.ended(placement, at=now + seen[placement.id])


def _note_missed(placement: Placement, now: datetime, *, tells: bool) -> None:
    if placement.door is None:
        return
    door = doors.missed(placement.door, at=now, tells=tells)
    logger.info("Door missed", extra={"placement_id": placement.id, "misses": door.misses})
    # Its due time is this pass's own: whoever claimed it since has looked too.
    mine = Placement.objects.filter(
        id=placement.id, state=PlacementState.RUNNING, look_due_at=placement.look_due_at
    )
    with transaction.atomic():
        missed = mine.update(**written(door))
        if missed:
            note_shut.began(placement)
    if missed and doors.is_lost(door):
        _stop(placement, now)


def _stop(placement: Placement, now: datetime) -> None:
    changes = {
        "reason_code": DOOR_LOST.code,
        "reason": kept(DOOR_LOST.sentence),
        "stop_requested_at": now,
    }
    try:
        apply(placement=placement, event=Event.STOP, now=now, changes=changes)
    except (NoTransition, Overtaken):
        logger.info("Lost door overtaken", extra={"placement_id": placement.id})
