"""This will count the ports of machines: whoever gets one too few is refused by the machine."""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from marketplace import plain_sql
from marketplace.domain.matching import check_ports
from marketplace.placements.models import Placement
from protocol.workload import PlacementKind, Workload

#: What is not gone may have its ports still, also where all else of it was given back.
HELD = """\
SELECT id, kind, {json_at}(workload, '$.ports'), {json_at}(former_workload, '$.ports')
FROM "placements_placement" WHERE machine_id = %(machine_id)s AND gone_at IS NULL ORDER BY id
"""


def held(machine_id: UUID) -> Mapping[UUID, int]:
    """Return how many ports each placement has that its machine still has.

    Call it in a transaction that locked the machine.
    """
    rows = plain_sql.fetch(HELD, machine_id=machine_id)
    return {
        UUID(str(placement_id)): _count(*(json.loads(text or "[]") for text in (now, before)))
        if kind == PlacementKind.RENTAL
        else 0
        for placement_id, kind, now, before in rows
    }


def check(
    workload: Workload,
    *,
    total: int,
    held: Mapping[UUID, int],
    of: Placement | None = None,
) -> None:
    """Accept what the machine has ports for beside those that are held.

    ``total``: how many it gives out in all.
    ``of``: which has the ports that it publishes now until it runs ``workload``. None: a new one.
    :raises ExceedsMachine: when it never has that many.
    :raises OfferTaken: when too few are left.
    """
    if workload.kind is not PlacementKind.RENTAL:
        return
    check_ports(
        _count(workload.ports, of.workload.get("ports", ()) if of else ()),
        total=total,
        held=sum(count for one, count in held.items() if of is None or one != of.id),
    )


def _count(ports: Sequence[int], former: Sequence[int]) -> int:
    """Return what a rental has: its SSH door, and both what runs and what comes publish."""
    return 1 + len({*ports, *former})
