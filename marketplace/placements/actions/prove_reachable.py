"""This will note which running placements' SSH doors were seen from outside."""

import logging
from datetime import datetime

from marketplace.domain.placement import PlacementState
from marketplace.placements import queries
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door, Probe

logger = logging.getLogger(__name__)
DOORS_MAX = 64


def prove_reachable(*, now: datetime, probe: Probe) -> int:
    """Return how many doors answered for the first time in this pass.

    ``reachable_at`` is when the door answered, not when the pass began: billing starts there.
    No transaction is open while the network is used.
    """
    doors = [
        Door(
            placement_id=placement.id,
            host=placement.ssh_host,
            port=placement.ssh_port,
            host_key=placement.ssh_host_key,
        )
        for placement in queries.unproven(rows_max=DOORS_MAX)
        if placement.ssh_port is not None
    ]
    proven = 0
    for placement_id, after in probe.look(doors).items():
        proven += Placement.objects.filter(
            id=placement_id, state=PlacementState.RUNNING, reachable_at__isnull=True
        ).update(reachable_at=now + after)
        logger.info("Placement reachable", extra={"placement_id": placement_id})
    return proven
