"""This will count the ports of machines: whoever gets one too few is refused by the machine."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.domain.matching import check_ports
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement
from protocol.workload import PlacementKind, Workload


def check(machine_id: UUID, workload: Workload, *, of: Placement | None = None) -> None:
    """Accept what the machine has ports for. Call it in a transaction that locked the machine.

    ``of``: which has the ports that it publishes now until it runs ``workload``. None: a new one.
    :raises ExceedsMachine: when it never has that many.
    :raises OfferTaken: when too few are left.
    """
    if workload.kind is not PlacementKind.RENTAL:
        return
    # What is not gone may have its ports still, also where all else of it was given back.
    others = Placement.objects.filter(
        machine_id=machine_id, kind=PlacementKind.RENTAL, gone_at=None
    )
    if of is not None:
        others = others.exclude(id=of.id)
    declared = others.order_by("id").values_list("workload__ports", "former_workload__ports")
    check_ports(
        _count(workload.ports, of.workload.get("ports", ()) if of else ()),
        total=Machine.objects.values_list("ports_total", flat=True).get(id=machine_id),
        held=sum(_count(now or (), before or ()) for now, before in declared),
    )


def _count(ports: Sequence[int], former: Sequence[int]) -> int:
    """Return what a rental has: its SSH door, and both what runs and what comes publish."""
    return 1 + len({*ports, *former})
