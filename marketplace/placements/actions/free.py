"""This will give back what a placement held, exactly once."""

from datetime import datetime

from django.db import transaction

from marketplace.domain.matching import Slice
from marketplace.machines.actions import lock, reserve
from marketplace.placements.models import Lease, Placement


def free(*, placement: Placement, now: datetime, silent_since: datetime | None = None) -> bool:
    """Return whether this call gave back the placement's leases and resources.

    Only an ended placement gives anything back, and only when the machine no longer has it or
    was silent for the whole quarantine: a GPU must never belong to two containers.
    ``silent_since``: the machine must not have been heard since then. None: it has nothing left.
    """
    with transaction.atomic():
        lock.lock(machine_id=placement.machine_id)
        ended = Placement.objects.filter(
            id=placement.id, freed_at__isnull=True, ended_at__isnull=False
        )
        if silent_since is not None:
            # Read after the lock: a machine that came back meanwhile speaks for itself.
            ended = ended.filter(machine__last_seen_at__lt=silent_since)
        if not ended.update(freed_at=now):
            return False
        # Nothing starts what has ended, so this is as it stays.
        if Placement.objects.filter(id=placement.id, holds_compute=True).exists():
            free_compute(placement=placement)
        disk = Slice(cpus=0, memory_bytes=0, disk_bytes=placement.disk_bytes)
        reserve.release(machine_id=placement.machine_id, held=disk)
    placement.freed_at = now
    return True


def free_compute(*, placement: Placement) -> None:
    """Give back its GPUs, CPUs and memory, which are the next one's from now on.

    Call it in the transaction that notes that they are no longer held, behind the machine's lock.
    """
    Lease.objects.filter(placement_id=placement.id).delete()
    reserve.release(
        machine_id=placement.machine_id,
        held=placement.held,
        interruptible=placement.is_interruptible,
    )
