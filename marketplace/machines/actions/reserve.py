"""This will take a slice of a machine, and give it back, each by one conditional UPDATE."""

from typing import NoReturn
from uuid import UUID

from django.db.models import F

from marketplace.domain.matching import MachineOffline, OfferTaken, Slice, check_fits
from marketplace.machines.actions.desire import RAISED
from marketplace.machines.models import Machine


def reserve(
    *,
    machine_id: UUID,
    asked: Slice,
    interruptible: bool = False,
    promised: bool = False,
    desired: bool = False,
) -> None:
    """Take so much of an online machine. Call it in the transaction that needs it.

    The UPDATE also locks the machine's row, so that what follows in the same transaction sees no
    other placement being made on this machine.
    ``promised``: only its disk has to be free; whoever has the rest was outbid.
    ``desired``: the machine is told in the same statement that something is desired of it.

    :raises MachineOffline: when it is silent or unknown.
    :raises ExceedsMachine: when it never has that much.
    :raises OfferTaken: when too little is left.
    """
    needed = {"disk_bytes_free": asked.disk_bytes}
    if not promised:
        needed |= {
            "cpus_free": asked.cpus,
            "memory_bytes_free": asked.memory_bytes,
            "gpus_free": asked.gpus,
        }
    # Of what is not asked for there may be less than nothing.
    fits = {f"{name}__gte": amount for name, amount in needed.items() if amount}
    moved = _moved(asked, interruptible=interruptible, sign=-1)
    if desired:
        moved |= RAISED
    taken = Machine.objects.filter(id=machine_id, online=True, **fits).update(**moved)
    if taken:
        return
    refuse(machine_id=machine_id, asked=asked, promised=promised)


def refuse(*, machine_id: UUID, asked: Slice, promised: bool) -> NoReturn:
    """Say why so much cannot be had of the machine. ``promised``: whoever is outbid.

    :raises Refused: always, as ``reserve`` does.
    """
    machine = Machine.objects.filter(id=machine_id, online=True).first()
    if machine is None:
        raise MachineOffline("This machine does not answer now; choose another offer.")
    check_fits(asked, total=machine.total, free=machine.open if promised else machine.free)
    # Something was given back between the statement that failed and this look.
    raise OfferTaken("It changed just now; try again.")


def release(*, machine_id: UUID, held: Slice, interruptible: bool = False) -> None:
    """Give back what ``reserve`` took; the caller's guard makes sure that it happens once."""
    Machine.objects.filter(id=machine_id).update(
        **_moved(held, interruptible=interruptible, sign=1)
    )


def _moved(part: Slice, *, interruptible: bool, sign: int) -> dict[str, object]:
    moved: dict[str, object] = {
        "cpus_free": F("cpus_free") + sign * part.cpus,
        "memory_bytes_free": F("memory_bytes_free") + sign * part.memory_bytes,
        "disk_bytes_free": F("disk_bytes_free") + sign * part.disk_bytes,
        "gpus_free": F("gpus_free") + sign * part.gpus,
    }
    if interruptible:
        moved |= {
            "cpus_interruptible": F("cpus_interruptible") - sign * part.cpus,
            "memory_bytes_interruptible": F("memory_bytes_interruptible")
            - sign * part.memory_bytes,
            "gpus_interruptible": F("gpus_interruptible") - sign * part.gpus,
        }
    return moved
