"""This will ask for a placement to stop: its files, its ports and its volumes are kept."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.placement import Event, NoTransition
from marketplace.placements.actions.request_end import ATTEMPTS_MAX
from marketplace.placements.actions.transition import Overtaken, apply
from marketplace.placements.models import Placement


def request_stop(*, placement_id: UUID, reason_code: str, reason: str, now: datetime) -> Placement:
    """Return the placement, STOPPING from now on; one that stops or ends already is left as it is.

    Nothing is billable after ``stop_requested_at``. GPUs, CPUs and memory are free for others once
    the machine says that nothing runs.
    """
    for _ in range(ATTEMPTS_MAX):
        placement = Placement.objects.get(id=placement_id)
        changes = {"stop_requested_at": now, "reason_code": reason_code, "reason": reason}
        try:
            apply(placement=placement, event=Event.STOP, now=now, changes=changes)
        except NoTransition:
            return placement
        except Overtaken:
            continue
        return placement
    raise Overtaken(f"Placement {placement_id} moves too often to be stopped.")
