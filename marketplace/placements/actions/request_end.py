"""This will ask for the end of a placement."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.placement import Event, NoTransition
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement

#: another change of the same placement can overtake this one at most once a state
ATTEMPTS_MAX = 6


def request_end(*, placement_id: UUID, reason_code: str, reason: str, now: datetime) -> Placement:
    """Return the placement, COLLECTING from now on; one that already ends is left as it is.

    Nothing is billable after ``stop_requested_at``, which an earlier stop may have set.
    """
    for _ in range(ATTEMPTS_MAX):
        placement = Placement.objects.get(id=placement_id)
        since = placement.stop_requested_at or now
        changes = {"stop_requested_at": since, "reason_code": reason_code, "reason": reason}
        if placement.is_untold:
            changes["gone_at"] = now
        event = Event.GONE if placement.is_untold else Event.END
        try:
            apply(placement=placement, event=event, now=now, changes=changes)
        except NoTransition:
            return placement
        except Overtaken:
            continue
        return placement
    raise Overtaken(f"Placement {placement_id} moves too often to be ended.")
