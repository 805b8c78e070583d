"""This will let a stopped placement run again, on whatever of its machine is free now."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import PlacementState
from marketplace.domain.problem import Refused
from marketplace.machines.actions import lock
from marketplace.placements.actions import room, settle
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.models import Placement
from protocol.agent import Want

logger = logging.getLogger(__name__)
OVER = "It is ending or has ended, so it can't be started."


class StillStopping(Refused):
    """Its machine has not said yet that nothing of it runs."""

    code = "still_stopping"
    status = 409
    sentence = "It is still stopping; start it again in a moment."
    retry_after_s = 2


def start(*, placement_id: UUID, now: datetime) -> Placement:
    """Return the placement, OFFERED to its machine again, with other GPUs where its own are taken.

    Where others are outbid for it, it is WAITING first. One that bids stays STOPPED until its bid
    wins. One that runs or is about to is left as it is.

    :raises PlacementEnding: when it ends or has ended, or its funded time is over.
    :raises StillStopping: when it will be stopped in a moment.
    :raises MachineOffline: when the machine is silent.
    :raises ExceedsMachine: when the machine has become smaller than that.
    :raises OfferTaken: when too little is left of it.
    """
    machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if placement.want == Want.END or placement.funded_until <= now:
            raise PlacementEnding(OVER)
        if placement.want == Want.RUN or placement.state == PlacementState.WAITING:
            return placement
        if placement.state != PlacementState.STOPPED:
            raise StillStopping
        if not placement.is_interruptible:
            room.enter(placement=placement, now=now)
        else:
            Placement.objects.filter(id=placement_id).update(resume_due_at=now)
        if placement.state != PlacementState.OFFERED:
            settle.settle(machine_id=machine_id, now=now)
            placement.refresh_from_db()
    logger.info("Placement starts again", extra={"placement_id": placement_id})
    return placement
