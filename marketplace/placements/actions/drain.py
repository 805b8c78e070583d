"""This will end what still runs on a machine when its host's maintenance begins."""

import logging
from datetime import datetime

from marketplace.domain.placement import LIVE
from marketplace.placements.actions import request_end
from marketplace.placements.models import Placement
from protocol.agent import Want

PLACEMENTS_MAX = 500
#: the reason's code, and the sentence that the renter reads
MAINTENANCE = ("host_maintenance", "The host began to work on the machine, as was announced.")

logger = logging.getLogger(__name__)


def drain(*, now: datetime) -> int:
    """Ask for the end of every placement, stopped or not, whose machine is under maintenance."""
    left = Placement.objects.filter(
        state__in=LIVE,
        machine__offer__maintenance_from__lte=now,
        machine__offer__maintenance_until__gt=now,
    ).exclude(want=Want.END)
    ended = 0
    ids = left.order_by("created_at", "id").values_list("id", flat=True)
    for placement_id in ids[:PLACEMENTS_MAX]:
        code, reason = MAINTENANCE
        try:
            request_end.request_end(
                placement_id=placement_id, reason_code=code, reason=reason, now=now
            )
        except Exception:
            # One broken placement must not keep the others running; the next pass tries it again.
            logger.exception("Placement not drained", extra={"placement_id": placement_id})
        else:
            ended += 1
    return ended
