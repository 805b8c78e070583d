"""This will end what still runs on a machine when its host's maintenance begins."""

from datetime import datetime

from marketplace.domain.placement import LIVE
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions import request_end
from marketplace.placements.models import Placement
from protocol.agent import Want

PLACEMENTS_MAX = 500
#: the reason's code, and the sentence that the renter reads
MAINTENANCE = ("host_maintenance", "The host began to work on the machine, as was announced.")


def drain(*, now: datetime) -> int:
    """Ask for the end of every placement, stopped or not, whose machine is under maintenance."""
    left = Placement.objects.filter(
        state__in=LIVE,
        machine__offer__maintenance_from__lte=now,
        machine__offer__maintenance_until__gt=now,
    ).exclude(want=Want.END)
    code, reason = MAINTENANCE
    ended = one_by_one(
        left.order_by("created_at", "id").values_list("id", flat=True),
        lambda placement_id: request_end.request_end(
            placement_id=placement_id, reason_code=code, reason=reason, now=now
        ),
        failed="Placement not drained",
        most=PLACEMENTS_MAX,
    )
    return len(ended)
