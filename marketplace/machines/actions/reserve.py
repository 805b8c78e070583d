"""This will take a slice of a machine, and give it back, each by one conditional UPDATE."""

from uuid import UUID

from django.db.models import F

from marketplace.domain.matching import MachineOffline, OfferTaken, Slice, check_fits
from marketplace.machines.models import Machine


def reserve(
    *, machine_id: UUID, cpus: int, memory_bytes: int, disk_bytes: int, gpus: int = 0
) -> None:
    """Take so much of an online machine. Call it in the transaction that needs it.

    The UPDATE also locks the machine's row, so that what follows in the same transaction sees no
    other placement being made on this machine.

    :raises MachineOffline: when it is silent or unknown.
    :raises ExceedsMachine: when it never has that much.
    :raises OfferTaken: when too little is left.
    """
    taken = Machine.objects.filter(
        id=machine_id,
        online=True,
        cpus_free__gte=cpus,
        memory_bytes_free__gte=memory_bytes,
        disk_bytes_free__gte=disk_bytes,
        gpus_free__gte=gpus,
    ).update(
        cpus_free=F("cpus_free") - cpus,
        memory_bytes_free=F("memory_bytes_free") - memory_bytes,
        disk_bytes_free=F("disk_bytes_free") - disk_bytes,
        gpus_free=F("gpus_free") - gpus,
    )
    if taken:
        return
    machine = Machine.objects.filter(id=machine_id, online=True).first()
    if machine is None:
        raise MachineOffline("This machine does not answer now; choose another offer.")
    asked = Slice(cpus=cpus, memory_bytes=memory_bytes, disk_bytes=disk_bytes, gpus=gpus)
    check_fits(asked, total=machine.total, free=machine.free)
    # Something was given back between the UPDATE and the look at why it failed.
    raise OfferTaken("Somebody else was faster; try again.")


def release(
    *, machine_id: UUID, cpus: int, memory_bytes: int, disk_bytes: int, gpus: int = 0
) -> None:
    """Give back what ``reserve`` took; the caller's guard makes sure that it happens once."""
    Machine.objects.filter(id=machine_id).update(
        cpus_free=F("cpus_free") + cpus,
        memory_bytes_free=F("memory_bytes_free") + memory_bytes,
        disk_bytes_free=F("disk_bytes_free") + disk_bytes,
        gpus_free=F("gpus_free") + gpus,
    )
