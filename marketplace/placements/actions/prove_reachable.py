"""This will note which running placements' SSH doors were seen from outside."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain import door as doors
from marketplace.domain.placement import PlacementState, deadline
from marketplace.placements import queries
from marketplace.placements.actions import lock, note_shut, unseen
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door, Probe

logger = logging.getLogger(__name__)
DOORS_MAX = 64


def prove_reachable(*, now: datetime, probe: Probe) -> int:
    """Return how many doors answered for the first time in this pass.

    ``reachable_at`` is when the door answered, not when the pass began: billing starts there.
    No transaction is open while the network is used.
    """
    proven = 0
    unproven = [door_of(placement) for placement in _claim(now)]
    for placement_id, after in probe.look(unproven).items():
        proven += _note(placement_id, now + after)
    return proven


def _claim(now: datetime) -> list[Placement]:
    """Return whose doors to try, each due again later: one that stays shut costs less and less."""
    due = queries.unproven(now, rows_max=DOORS_MAX)
    if not due:
        return []
    for placement in due:
        began = placement.running_at or now
        placement.look_due_at = doors.next_try(now=now, running_at=began)
    with transaction.atomic():
        lock.lock(placement_ids=[placement.id for placement in due])
        # Not where its door was seen meanwhile, which has its own next look.
        Placement.objects.filter(reachable_at=None).bulk_update(due, ["look_due_at"])
    return due


def door_of(placement: Placement) -> Door:
    """Return where the placement's door should be, as its machine told."""
    return Door(
        placement_id=placement.id,
        host=placement.ssh_host,
        port=placement.ssh_port or 0,
        host_key=placement.ssh_host_key,
    )


def written(door: doors.Door) -> dict[str, object]:
    """Return the columns that keep a door."""
    return {
        "door_open_since": door.open_since,
        "door_seen_at": door.seen_at,
        "door_missed_at": door.missed_at,
        "door_looks": door.looks,
    }


def _note(placement_id: UUID, seen_at: datetime) -> bool:
    unproven = Placement.objects.filter(
        id=placement_id, state=PlacementState.RUNNING, reachable_at__isnull=True
    )
    with transaction.atomic():
        placement = unproven.select_for_update().first()
        if placement is None:
            return False
        Placement.objects.filter(id=placement_id).update(
            reachable_at=seen_at,
            # At once: what lies between two looks counts, so a short rental's cost shows early.
            look_due_at=seen_at,
            deadline_at=deadline(
                PlacementState.RUNNING, now=seen_at, funded_until=placement.funded_until
            ),
            **written(doors.first_seen(seen_at, looks=placement.door_looks)),
        )
        unseen.at_first_look(placement=placement, seen_at=seen_at)
        if placement.door_looks:
            note_shut.ended(placement, at=seen_at)
    logger.info("Placement reachable", extra={"placement_id": placement_id})
    return True
