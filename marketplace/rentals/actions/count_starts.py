"""This will count how quickly and how surely the rentals of each machine began lately."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from marketplace.accounts.models import Membership
from marketplace.domain.placement import DOOR_LATE, Blame
from marketplace.domain.starts import ALL, Starts, starts, trusted
from marketplace.offers import kind_starts
from marketplace.offers.actions.note_starts import note_starts
from marketplace.placements.models import Placement
from marketplace.rentals.mystery import renter_id
from protocol.workload import PlacementKind

LATELY = timedelta(days=30)
#: whoever tries doors did so until this long before the end, or they were away themselves
LOOKED_WITHIN = timedelta(seconds=30)
_MS = timedelta(milliseconds=1)
#: milliseconds until its door was seen, or None where it never was; and whether the site rented it
Begun = tuple[int | None, bool]


def count_starts(*, now: datetime) -> int:
    """Return how many offers have other figures than before.

    A rental that may be outbid waits for its room, which says nothing of its machine; one that its
    renter ended before it came up says nothing either. Nor does one that was stopped: what is known
    of it is when it came up last, and who stops and starts could make any machine look slow. What
    a host rents of their own machine, they or a team of theirs, is not counted: it costs them
    little to make it look quick. Where enough of the site's own rentals began, those alone count:
    their doors were shut by nobody inside, so one that was never seen is the machine's failure.
    """
    ours = renter_id()
    fault = Q(blame=Blame.MACHINE)
    if ours is not None:
        looked = Q(look_due_at__gt=F("ended_at") - LOOKED_WITHIN)
        fault |= Q(looked, reason_code=DOOR_LATE.code, rental__renter_id=ours)
    failed = Q(fault, reachable_at=None, ended_at__isnull=False)
    team = Membership.objects.filter(
        team_id=OuterRef("rental__renter_id"), person_id=OuterRef("machine__host_id")
    )
    colleague = Membership.objects.filter(
        person_id=OuterRef("rental__renter_id"), team_id=OuterRef("machine__host_id")
    )
    rows = (
        Placement.objects.filter(
            Q(reachable_at__isnull=False, starts=0) | failed,
            ~Q(rental__renter_id=F("machine__host_id")),
            ~Exists(team),
            ~Exists(colleague),
            kind=PlacementKind.RENTAL,
            created_at__gt=now - LATELY,
            bid_hour_microusd=None,
        )
        .order_by("machine_id")
        .values_list(
            "machine_id", "created_at", "reachable_at", "rental__renter_id", "machine__gpu_model"
        )
    )
    found: dict[UUID, Starts] = {}
    of_kinds: dict[str, list[Begun]] = defaultdict(list)
    for machine_id, some in groupby(rows.iterator(chunk_size=2000), key=itemgetter(0)):
        told = list(some)
        begun = [
            _begun(row[1], row[2], is_ours=ours is not None and row[3] == ours) for row in told
        ]
        found[machine_id] = _trusted(begun)
        # A set: a host may call a GPU as all together are called, and counts there once.
        for kind in {told[0][4], ALL}:
            of_kinds[kind] += begun
    kind_starts.note({kind: _trusted(begun) for kind, begun in of_kinds.items()})
    return note_starts(found)


def _begun(created: datetime, reached: datetime | None, *, is_ours: bool) -> Begun:
    return (None if reached is None else (reached - created) // _MS, is_ours)


def _trusted(begun: Sequence[Begun]) -> Starts:
    return trusted(
        ours=_starts([wait for wait, is_ours in begun if is_ours]),
        everybodys=_starts([wait for wait, _ in begun]),
    )


def _starts(waits_ms: Sequence[int | None]) -> Starts:
    came_up = [wait for wait in waits_ms if wait is not None]
    return starts(came_up, failed=len(waits_ms) - len(came_up))
