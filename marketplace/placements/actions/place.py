"""This will put a workload on a machine: resources, leases and the placement in one transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from marketplace import plain_sql
from marketplace.domain.matching import OfferTaken, Slice
from marketplace.domain.placement import PlacementState, deadline
from marketplace.machines.actions import reserve
from marketplace.placements import ports
from marketplace.placements.actions import room, settle
from marketplace.placements.actions.lease import lease
from marketplace.placements.models import Placement, PlacementEvent
from marketplace.placements.registry_login import seal
from protocol.agent import DESIRED_MOST, RegistryLogin, Want
from protocol.workload import Workload

logger = logging.getLogger(__name__)
FULL = "This machine has as many rentals as it can have; choose another offer."


def place(
    *,
    placement_id: UUID,
    machine_id: UUID,
    workload: Workload,
    authorized_keys: Sequence[str],
    funded_until: datetime,
    now: datetime,
    registry_login: RegistryLogin | None = None,
    bid_hour_microusd: int | None = None,
    paid_until: datetime | None = None,
) -> Placement:
    """Return the new placement, OFFERED to its machine, or WAITING until others made room for it.

    ``bid_hour_microusd``: others may outbid it. None: nobody does, and it outbids who bids.
    ``paid_until``: its machine stops it then, unless more is paid for. None: it runs to its end.

    :raises MachineOffline: when the machine is silent.
    :raises ExceedsMachine: when the machine never has that much.
    :raises OfferTaken: when too little is left of it, whoever is outbid.
    :raises BidTooLow: when others bid as much.
    """
    asked = Slice.of(workload.resources)
    make = partial(
        _make,
        placement_id=placement_id,
        machine_id=machine_id,
        workload=workload,
        authorized_keys=authorized_keys,
        registry_login=registry_login,
        bid_hour_microusd=bid_hour_microusd,
        funded_until=funded_until,
        paid_until=paid_until,
        now=now,
    )
    placement: Placement | None = None
    with transaction.atomic():
        machine = reserve.take(
            machine_id=machine_id,
            asked=asked,
            interruptible=bid_hour_microusd is not None,
            desired=True,
        )
        if machine is not None:
            placement = make(machine=machine, is_free=True)
    if placement is None:
        # Who waited for the row has let go of it, or each would keep all behind it waiting longer.
        reserve.check_open(machine_id=machine_id, asked=asked)
        with transaction.atomic():
            is_free, machine = room.take(
                machine_id=machine_id,
                asked=asked,
                bid_hour_microusd=bid_hour_microusd,
                desired=True,
            )
            placement = make(machine=machine, is_free=is_free)
    logger.info("Placement made", extra={"placement_id": placement_id, "machine": machine_id})
    return placement


def _make(
    *,
    placement_id: UUID,
    machine_id: UUID,
    machine: reserve.Reserved,
    is_free: bool,
    workload: Workload,
    authorized_keys: Sequence[str],
    registry_login: RegistryLogin | None,
    bid_hour_microusd: int | None,
    funded_until: datetime,
    paid_until: datetime | None,
    now: datetime,
) -> Placement:
    """Return the placement in the room that was taken for it, or promised: not ``is_free``."""
    held = ports.held(machine_id)
    if len(held) >= DESIRED_MOST:
        # Its reply has no room for one more.
        raise OfferTaken(FULL)
    ports.check(workload, total=machine.ports_total, held=held)
    asked = Slice.of(workload.resources)
    count = asked.gpus if is_free else 0
    gpu_uuids = lease(machine_id=machine_id, placement_id=placement_id, count=count)
    state = PlacementState.OFFERED if is_free else PlacementState.WAITING
    placement = Placement(
        id=placement_id,
        machine_id=machine_id,
        kind=workload.kind,
        state=state,
        want=Want.RUN if is_free else Want.STOP,
        workload=workload.model_dump(mode="json"),
        authorized_keys=list(authorized_keys),
        registry_login=seal(registry_login),
        cpus=asked.cpus,
        memory_bytes=asked.memory_bytes,
        disk_bytes=asked.disk_bytes,
        gpus=asked.gpus,
        gpu_uuids=gpu_uuids,
        bid_hour_microusd=bid_hour_microusd,
        funded_until=funded_until,
        paid_until=paid_until,
        deadline_at=deadline(state, now=now, funded_until=funded_until),
        created_at=now,
        ssh_host=machine.address,
    )
    plain_sql.add(placement)
    plain_sql.add(PlacementEvent(placement_id=placement_id, at=now, event="place", new_state=state))
    if not is_free:
        settle.settle(machine_id=machine_id, now=now)
    return placement
