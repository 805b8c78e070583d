"""This will let a placement run longer because more of it is paid for."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import FUNDED, PlacementState, deadline
from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire, lock
from marketplace.placements.models import Placement
from protocol.agent import Want


class PlacementEnding(Refused):
    code = "placement_ending"
    status = 409
    sentence = "It is ending already, so it can't be extended."


def extend_funding(*, placement_id: UUID, funded_until: datetime, now: datetime) -> Placement:
    """Return the placement, funded until then; an earlier moment than the present one changes it
    nothing.

    :raises PlacementEnding: when it ends or has ended.
    """
    with transaction.atomic():
        machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if placement.want == Want.END:
            raise PlacementEnding
        if placement.funded_until >= funded_until:
            return placement
        placement.funded_until = funded_until
        state = PlacementState(placement.state)
        runs = state is PlacementState.RUNNING
        if state in FUNDED and not (runs and placement.awaits_door):
            placement.deadline_at = deadline(state, now=now, funded_until=funded_until)
        placement.save(update_fields=["funded_until", "deadline_at"])
        desire.bump(machine_id=placement.machine_id)
    return placement
