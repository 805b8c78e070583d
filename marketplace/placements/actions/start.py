"""This will let a stopped placement run again, on whatever of its machine is free now."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import Event, PlacementState
from marketplace.domain.problem import Refused
from marketplace.machines.actions import lock, reserve
from marketplace.placements.actions.extend_funding import PlacementEnding
from marketplace.placements.actions.lease import free_gpus, lease
from marketplace.placements.actions.transition import apply
from marketplace.placements.models import Placement
from protocol.agent import Want

logger = logging.getLogger(__name__)
OVER = "It is ending or has ended, so it can't be started."
#: as if its door had never been seen: it is another run, and nothing of it counts before a look;
#: but the looks that missed are kept, or a stop would forgive them
UNSEEN: dict[str, object] = {
    "accepted_at": None,
    "running_at": None,
    "reachable_at": None,
    "door_open_since": None,
    "door_seen_at": None,
    "door_missed_at": None,
    "look_due_at": None,
    "stop_requested_at": None,
    "reason_code": "",
    "reason": "",
    "progress": "",
}


class StillStopping(Refused):
    """Its machine has not said yet that nothing of it runs."""

    code = "still_stopping"
    status = 409
    sentence = "It is still stopping; start it again in a moment."
    retry_after_s = 2


def start(*, placement_id: UUID, now: datetime) -> Placement:
    """Return the placement, OFFERED to its machine again, with other GPUs where its own are taken.

    One that runs or is about to is left as it is.

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
        if placement.want == Want.RUN:
            return placement
        if placement.state != PlacementState.STOPPED:
            raise StillStopping
        gpus = len(placement.gpu_uuids)
        reserve.reserve(
            machine_id=machine_id,
            cpus=placement.cpus,
            memory_bytes=placement.memory_bytes,
            # It kept its disk.
            disk_bytes=0,
            gpus=gpus,
        )
        gpu_uuids = free_gpus(machine_id, gpus)
        lease(machine_id=machine_id, placement_id=placement_id, gpu_uuids=gpu_uuids)
        held = {
            "holds_compute": True,
            "gpu_uuids": gpu_uuids,
            "starts": placement.starts + 1,
        }
        apply(placement=placement, event=Event.START, now=now, changes=UNSEEN | held)
    logger.info("Placement starts again", extra={"placement_id": placement_id})
    return placement
