"""This will note what gateways saw of replicas' HTTP ports: a second counts between two good looks.

What docs/decisions/0006-looks-from-outside.md says of SSH doors holds for these ports too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain import door as doors
from marketplace.domain.machine import silent_since
from marketplace.domain.placement import PlacementState
from marketplace.placements.actions import unseen
from marketplace.placements.actions.prove_reachable import written
from marketplace.placements.models import Placement
from protocol.workload import PlacementKind


@dataclass(frozen=True, slots=True)
class Look:
    """Whether a replica took a stream at a moment."""

    placement_id: UUID
    at: datetime
    answered: bool


def note_looks(*, looks: Sequence[Look], blind: bool, now: datetime) -> int:
    """Return how many of the looks were at replicas that run.

    ``blind``: whoever looked sees nothing at all, so that a miss tells nothing.
    """
    return sum(_note(look, blind=blind, now=now) for look in looks)


def _note(look: Look, *, blind: bool, now: datetime) -> bool:
    running = Placement.objects.filter(
        id=look.placement_id, kind=PlacementKind.REPLICA, state=PlacementState.RUNNING
    )
    with transaction.atomic():
        placement = running.select_for_update(of=("self",)).select_related("machine").first()
        if placement is None:
            return False
        door, at = placement.door, min(look.at, now)
        if look.answered:
            first = {} if door is not None else {"reachable_at": at}
            after = doors.first_seen(at) if door is None else doors.seen(door, at=at)
            running.update(**first, **written(after))
            if door is None:
                unseen.at_first_look(placement=placement, seen_at=at)
        elif door is not None:
            tells = not blind and placement.machine.last_seen_at >= silent_since(now)
            running.update(**written(doors.missed(door, at=at, tells=tells)))
    return True
