"""This will note which running placements' SSH doors were seen from outside."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.placement import PlacementState, deadline
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
        proven += _note(placement_id, now + after)
    return proven


def _note(placement_id: UUID, seen_at: datetime) -> bool:
    unproven = Placement.objects.filter(
        id=placement_id, state=PlacementState.RUNNING, reachable_at__isnull=True
    )
    with transaction.atomic():
        placement = unproven.select_for_update().first()
        if placement is None:
            return False
        placement.reachable_at = seen_at
        placement.deadline_at = deadline(
            PlacementState.RUNNING, now=seen_at, funded_until=placement.funded_until
        )
        placement.save(update_fields=["reachable_at", "deadline_at"])
    logger.info("Placement reachable", extra={"placement_id": placement_id})
    return True
