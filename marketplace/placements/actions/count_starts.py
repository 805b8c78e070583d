"""This will count how quickly and how surely the rentals of each machine began lately."""

from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db.models import Q

from marketplace.domain.placement import Blame
from marketplace.domain.starts import Starts, starts
from marketplace.offers.actions.note_starts import note_starts
from marketplace.placements.models import Placement
from protocol.workload import PlacementKind

LATELY = timedelta(days=30)
_MS = timedelta(milliseconds=1)


def count_starts(*, now: datetime) -> int:
    """Return how many offers have other figures than before.

    A rental that may be outbid waits for its room, which says nothing of its machine; one that its
    renter ended before it came up says nothing either. Nor does one that was stopped: what is known
    of it is when it came up last, and who stops and starts could make any machine look slow.
    """
    failed = Q(reachable_at=None, blame=Blame.MACHINE, ended_at__isnull=False)
    rows = (
        Placement.objects.filter(
            Q(reachable_at__isnull=False, starts=0) | failed,
            kind=PlacementKind.RENTAL,
            created_at__gt=now - LATELY,
            bid_hour_microusd=None,
        )
        .order_by("machine_id")
        .values_list("machine_id", "created_at", "reachable_at")
    )
    found: dict[UUID, Starts] = {}
    for machine_id, some in groupby(rows.iterator(chunk_size=2000), key=itemgetter(0)):
        begun = [(created_at, reachable_at) for _, created_at, reachable_at in some]
        waits = [(reached - created) // _MS for created, reached in begun if reached]
        found[machine_id] = starts(waits, failed=len(begun) - len(waits))
    return note_starts(found)
