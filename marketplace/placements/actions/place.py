"""This will put a workload on a machine: resources, leases and the placement in one transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.matching import OfferTaken, Slice
from marketplace.domain.placement import PlacementState, deadline
from marketplace.machines.actions import desire, reserve
from marketplace.machines.models import Machine
from marketplace.placements.actions.lease import free_gpus, lease
from marketplace.placements.models import Placement, PlacementEvent
from marketplace.placements.registry_login import seal
from protocol.agent import DESIRED_MOST, RegistryLogin, Want
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
    registry_login: RegistryLogin | None = None,
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
        # Behind the reservation, which lets nobody else place anything here.
        _check_told(machine_id)
        gpu_uuids = free_gpus(machine_id, asked.gpus)
        placement = Placement.objects.create(
            id=placement_id,
            machine_id=machine_id,
            kind=workload.kind,
            state=PlacementState.OFFERED,
            want=Want.RUN,
            workload=workload.model_dump(mode="json"),
            authorized_keys=list(authorized_keys),
            registry_login=seal(registry_login),
            cpus=asked.cpus,
            memory_bytes=asked.memory_bytes,
            disk_bytes=asked.disk_bytes,
            gpu_uuids=gpu_uuids,
            funded_until=funded_until,
            deadline_at=deadline(PlacementState.OFFERED, now=now, funded_until=funded_until),
            created_at=now,
            ssh_host=Machine.objects.values_list("address", flat=True).get(id=machine_id),
        )
        lease(machine_id=machine_id, placement_id=placement_id, gpu_uuids=gpu_uuids)
        PlacementEvent.objects.create(
            placement=placement, at=now, event="place", new_state=PlacementState.OFFERED
        )
        desire.bump(machine_id=machine_id)
    logger.info("Placement offered", extra={"placement_id": placement_id, "machine": machine_id})
    return placement


def _check_told(machine_id: UUID) -> None:
    """Accept a machine whose reply has room for one more placement."""
    if Placement.objects.filter(machine_id=machine_id, gone_at=None).count() >= DESIRED_MOST:
        raise OfferTaken("This machine has as many rentals as it can have; choose another offer.")
