"""This will put a workload on a machine: resources, leases and the placement in one transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.matching import OfferTaken, Slice
from marketplace.domain.placement import PlacementState, deadline
from marketplace.machines.actions import desire, reserve
from marketplace.machines.models import Gpu, Machine
from marketplace.placements.models import Lease, Placement, PlacementEvent
from protocol.agent import Want
from protocol.workload import Workload

logger = logging.getLogger(__name__)


def place(
    *,
    placement_id: UUID,
    machine_id: UUID,
    workload: Workload,
    authorized_keys: Sequence[str],
    funded_until: datetime,
    now: datetime,
) -> Placement:
    """Return the new placement, OFFERED to its machine.

    :raises MachineOffline: when the machine is silent.
    :raises ExceedsMachine: when the machine never has that much.
    :raises OfferTaken: when too little is left of it.
    """
    asked = Slice.of(workload.resources)
    with transaction.atomic():
        reserve.reserve(
            machine_id=machine_id,
            cpus=asked.cpus,
            memory_bytes=asked.memory_bytes,
            disk_bytes=asked.disk_bytes,
            gpus=asked.gpus,
        )
        gpu_uuids = _free_gpus(machine_id, asked.gpus)
        placement = Placement.objects.create(
            id=placement_id,
            machine_id=machine_id,
            kind=workload.kind,
            state=PlacementState.OFFERED,
            want=Want.RUN,
            workload=workload.model_dump(mode="json"),
            authorized_keys=list(authorized_keys),
            cpus=asked.cpus,
            memory_bytes=asked.memory_bytes,
            disk_bytes=asked.disk_bytes,
            gpu_uuids=gpu_uuids,
            funded_until=funded_until,
            deadline_at=deadline(PlacementState.OFFERED, now=now, funded_until=funded_until),
            created_at=now,
            ssh_host=Machine.objects.values_list("address", flat=True).get(id=machine_id),
        )
        _lease(placement)
        PlacementEvent.objects.create(
            placement=placement, at=now, event="place", new_state=PlacementState.OFFERED
        )
        desire.bump(machine_id=machine_id)
    logger.info("Placement offered", extra={"placement_id": placement_id, "machine": machine_id})
    return placement


def _free_gpus(machine_id: UUID, count: int) -> list[str]:
    if not count:
        return []
    leased = Lease.objects.filter(machine_id=machine_id).values("gpu_uuid")
    found = list(
        Gpu.objects.filter(machine_id=machine_id)
        .exclude(uuid__in=leased)
        .order_by("uuid", "id")
        .values_list("uuid", flat=True)[:count]
    )
    if len(found) < count:
        raise OfferTaken("Somebody else took these GPUs meanwhile.")
    return found


def _lease(placement: Placement) -> None:
    # The reservation above serialises a machine; the unique constraint is the last guard.
    Lease.objects.bulk_create(
        Lease(machine_id=placement.machine_id, placement=placement, gpu_uuid=uuid)
        for uuid in placement.gpu_uuids
    )
