"""This will stop rentals whose lease or money is over."""

from datetime import datetime

from marketplace.domain.placement import PlacementState
from marketplace.placements.actions import request_stop
from marketplace.rentals.models import Rental

RENTALS_MAX = 500


def expire(*, now: datetime) -> int:
    """Ask for the end of every rental that is funded no longer; return how many."""
    over = Rental.objects.filter(
        placement__state=PlacementState.RUNNING,
        placement__stop_requested_at=None,
        placement__funded_until__lte=now,
    ).order_by("placement__funded_until", "id")
    found = list(over.values_list("placement_id", "lease_s")[:RENTALS_MAX])
    for placement_id, lease_s in found:
        request_stop.request_stop(
            placement_id=placement_id,
            reason_code="cap_reached" if lease_s is None else "lease_ended",
            reason="Its dollar cap was reached." if lease_s is None else "Its lease ended.",
            now=now,
        )
    return len(found)
