"""This will take a slice of a machine, and give it back, each by one conditional UPDATE."""

from dataclasses import asdict, dataclass
from functools import cache
from uuid import UUID

from django.db.models import F

from marketplace import plain_sql
from marketplace.domain.matching import MachineOffline, OfferTaken, Slice, check_fits
from marketplace.machines.actions.desire import RAISED_SQL
from marketplace.machines.models import Machine

#: the parts of a slice, as the columns name them
COUNTED = ("cpus", "memory_bytes", "disk_bytes", "gpus")
COMPUTING = ("cpus", "memory_bytes", "gpus")
#: three slices: what it has, what of that is free, and what of it goes to whoever outbids all
LOOK = """\
SELECT cpus_total, memory_bytes_total, disk_bytes_total, gpus_total,
  cpus_free, memory_bytes_free, disk_bytes_free, gpus_free,
  cpus_interruptible, memory_bytes_interruptible, 0, gpus_interruptible
FROM "machines_machine" WHERE id = %(machine_id)s AND online
"""


class HeldByBids(OfferTaken):
    """Too little was free, but enough is once those who bid are outbid, or was given back."""

    sentence = "It changed just now; try again."


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is known of a machine of which something was taken."""

    address: str
    #: how many ports placements may get of it, in all
    ports_total: int


def reserve(
    *,
    machine_id: UUID,
    asked: Slice,
    interruptible: bool = False,
    promised: bool = False,
    desired: bool = False,
) -> Reserved:
    """Take so much of an online machine. Call it in the transaction that needs it.

    The UPDATE also locks the machine's row, so that what follows in the same transaction sees no
    other placement being made on this machine.
    ``promised``: only its disk has to be free; whoever has the rest was outbid.
    ``desired``: the machine is told in the same statement that something is desired of it.

    :raises MachineOffline: when it is silent or unknown.
    :raises ExceedsMachine: when it never has that much.
    :raises HeldByBids: when others would have to be outbid for it.
    :raises OfferTaken: when too little is left, whoever is outbid.
    """
    taken = take(
        machine_id=machine_id,
        asked=asked,
        interruptible=interruptible,
        promised=promised,
        desired=desired,
    )
    if taken is None:
        check_open(machine_id=machine_id, asked=asked)
        raise HeldByBids
    return taken


def take(
    *,
    machine_id: UUID,
    asked: Slice,
    interruptible: bool = False,
    promised: bool = False,
    desired: bool = False,
) -> Reserved | None:
    """Do as ``reserve`` does, but return None where so much cannot be had, whatever is in the way.

    Who waited for others may then hold the row until the transaction ends.
    """
    statement = _taking(interruptible=interruptible, promised=promised, desired=desired)
    for address, ports_total in plain_sql.fetch(statement, machine_id=machine_id, **asdict(asked)):
        return Reserved(address=address, ports_total=ports_total)
    return None


def check_open(*, machine_id: UUID, asked: Slice) -> None:
    """Accept a machine that has so much for whoever outbids all; one look, and no lock.

    :raises MachineOffline: when it is silent or unknown.
    :raises ExceedsMachine: when it never has that much.
    :raises OfferTaken: when too little is left, whoever is outbid.
    """
    looked = plain_sql.fetch(LOOK, machine_id=machine_id)
    if not looked:
        raise MachineOffline("This machine does not answer now; choose another offer.")
    total, free, interruptible = (Slice(*looked[0][first : first + 4]) for first in (0, 4, 8))
    check_fits(asked, total=total, free=free.with_bids(interruptible))


def release(*, machine_id: UUID, held: Slice, interruptible: bool = False) -> None:
    """Give back what ``reserve`` took; the caller's guard makes sure that it happens once."""
    given = asdict(held)
    moved = {f"{name}_free": F(f"{name}_free") + given[name] for name in COUNTED}
    if interruptible:
        moved |= {
            f"{name}_interruptible": F(f"{name}_interruptible") - given[name] for name in COMPUTING
        }
    Machine.objects.filter(id=machine_id).update(**moved)


@cache
def _taking(*, interruptible: bool, promised: bool, desired: bool) -> str:
    moved = [f"{name}_free = {name}_free - %({name})s" for name in COUNTED]
    if interruptible:
        moved += [f"{name}_interruptible = {name}_interruptible + %({name})s" for name in COMPUTING]
    if desired:
        moved += [RAISED_SQL]
    # Of what is not asked for there may be less than nothing.
    fits = [
        f"(%({name})s = 0 OR {name}_free >= %({name})s)"
        for name in (("disk_bytes",) if promised else COUNTED)
    ]
    return f"""\
UPDATE "machines_machine" SET {", ".join(moved)}
WHERE id = %(machine_id)s AND online AND {" AND ".join(fits)} RETURNING address, ports_total
"""  # noqa: S608
