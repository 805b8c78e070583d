"""This will note how long a placement ran without anybody seeing it answer: nobody pays for that.

How long a renter's may do so is in metering/unseen.py; docs/decisions/0006-looks-from-outside.md.
"""

from collections.abc import Mapping
from datetime import datetime

from marketplace.domain.machine import silent_since
from marketplace.domain.placement import HOSTS_DOINGS, Blame, PlacementState
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement, PlacementEvent
from protocol.workload import PlacementKind

#: the event row of a run that was seen for the first time
SEEN = "seen"


def at_first_look(*, placement: Placement, seen_at: datetime) -> None:
    """Note that it was seen to answer, and how long it had run until then."""
    PlacementEvent.objects.create(
        placement=placement,
        at=seen_at,
        event=SEEN,
        old_state=PlacementState.RUNNING,
        new_state=PlacementState.RUNNING,
        unseen_s=_seconds(placement.running_at, seen_at),
    )


def at_end(placement: Placement, *, changes: Mapping[str, object], now: datetime) -> int:
    """Return how long a run that is over now went on unseen up to here, in seconds.

    Zero where its renter had no hand in that: the host ended it, or the machine is out of touch.
    """
    unseen_s = _seconds(_unseen_since(placement), now)
    by_machine = changes.get("blame") == Blame.MACHINE
    if not unseen_s or by_machine or changes.get("reason_code") in HOSTS_DOINGS:
        return 0
    heard = Machine.objects.filter(id=placement.machine_id, last_seen_at__gte=silent_since(now))
    return unseen_s if heard.exists() else 0


def _unseen_since(placement: Placement) -> datetime | None:
    if placement.kind == PlacementKind.JOB:
        return None
    if placement.reachable_at is None:
        return placement.running_at
    # A rental's door that was seen before is judged by its misses (rentals/doors.py).
    return placement.door_missed_at if placement.kind == PlacementKind.REPLICA else None


def _seconds(since: datetime | None, until: datetime) -> int:
    return 0 if since is None else max(0, int((until - since).total_seconds()))
