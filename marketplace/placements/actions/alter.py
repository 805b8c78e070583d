"""This will change what is desired of a placement while it runs, without ending it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import PlacementState
from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire, lock
from marketplace.placements.models import Placement

#: from what is desired now to the columns that differ; none: nothing is to be changed
Alter = Callable[[Placement], Mapping[str, Any]]
#: a new wish makes what was said of the one before old
UNTOLD = {"change_code": "", "change_reason": ""}


class NotRunning(Refused):
    """It is not there yet, or stopped, or it ends."""

    code = "not_running"
    status = 409
    sentence = "This is possible only while it runs; wait until it does, or start it first."


def alter(*, placement_id: UUID, by: Alter) -> Placement:
    """Return the placement with what ``by`` changed, which its machine hears of at once.

    :raises NotRunning: when it does not run, or shall not any more.
    """
    machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if placement.state != PlacementState.RUNNING:
            raise NotRunning
        columns = by(placement)
        if columns:
            for name, value in (UNTOLD | dict(columns)).items():
                setattr(placement, name, value)
            placement.save(update_fields=[*UNTOLD, *columns])
            desire.bump(machine_id=machine_id)
    return placement
