"""This will read the table of a host's machines: sorted by one column, page by page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from marketplace.domain.standing import StandingState
from marketplace.machines import queries as machine_queries
from marketplace.machines.models import Machine
from marketplace.metering.occupancy import Lately, lately
from marketplace.offers.models import Offer
from marketplace.offers.queries import of_host
from marketplace.verification import queries as verification

PAGE_ROWS = 50
#: beyond these nobody reads on
MACHINES_MAX = 5000
#: worst first, as that is what a host has to look at
_WORST_FIRST = (
    StandingState.BANNED,
    StandingState.SUSPENDED,
    StandingState.DEGRADED,
    StandingState.NEW,
    StandingState.VERIFIED,
)


class Sort(StrEnum):
    #: the oldest first
    ENROLLED = "enrolled"
    #: what is away first
    STATUS = "status"
    #: the worst first
    VERDICT = "verdict"
    #: the most first
    OCCUPANCY = "occupancy"
    EARNED = "earned"
    #: the least first
    RELIABILITY = "reliability"


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which row a page begins."""

    key: int
    machine_id: UUID

    def encode(self) -> str:
        """Return it as it stands in an address."""
        return f"{self.key}.{self.machine_id.hex}"

    @classmethod
    def decode(cls, text: str) -> "Place | None":
        """Return the place that ``encode`` wrote; None: it wrote no such text."""
        found = re.fullmatch(r"(-?[0-9]{1,18})\.([0-9a-f]{32})", text)
        return None if found is None else cls(int(found[1]), UUID(hex=found[2]))


@dataclass(frozen=True, slots=True)
class HostRow:
    """What one machine is and earns, at one glance."""

    offer: Offer
    state: StandingState
    #: of the last thirty days, in millionths
    occupancy_ppm: int
    uptime_ppm: int
    #: of its rentals' time in thirty days, after the fee
    earned_microusd: int
    #: points in millionths; None: never scored
    points_micro: int | None


@dataclass(frozen=True, slots=True)
class HostTable:
    rows: tuple[HostRow, ...]
    #: None: this is the last page
    next_place: Place | None
    #: of all that the host has
    machines: int
    online: int
    #: of all of them in thirty days, after the fee
    earned_microusd: int


def table(host_id: int, *, sort: Sort, after: Place | None, now: datetime) -> HostTable:
    """Return one page of the host's machines, in a fixed number of queries."""
    machines = list(
        machine_queries.of_host(host_id).defer("hardware", "miner_hotkey")[:MACHINES_MAX]
    )
    done = lately(machines, host_id=host_id, now=now)
    keys = _keys(machines, sort, done, host_id=host_id, now=now)
    order = sorted(machines, key=lambda one: (keys[one.id], one.id))
    if after is not None:
        behind = (after.key, after.machine_id)
        order = [one for one in order if (keys[one.id], one.id) > behind]
    page = order[:PAGE_ROWS]
    last = page[-1] if len(order) > len(page) else None
    return HostTable(
        rows=_rows(page, done, host_id=host_id, now=now),
        next_place=None if last is None else Place(keys[last.id], last.id),
        machines=len(machines),
        online=sum(one.online for one in machines),
        earned_microusd=sum(one.earned_microusd for one in done.values()),
    )


def _keys(
    machines: Sequence[Machine],
    sort: Sort,
    done: Mapping[UUID, Lately],
    *,
    host_id: int,
    now: datetime,
) -> dict[UUID, int]:
    """Return what the machines are sorted by, rising."""
    mine = Machine.objects.filter(host_id=host_id)
    if sort is Sort.STATUS:
        return {one.id: int(one.online) for one in machines}
    if sort is Sort.EARNED:
        return {machine_id: -one.earned_microusd for machine_id, one in done.items()}
    if sort is Sort.OCCUPANCY:
        return {machine_id: -one.occupancy_ppm for machine_id, one in done.items()}
    if sort is Sort.RELIABILITY:
        uptimes = machine_queries.uptimes_ppm(mine, now=now)
        return {one.id: uptimes.get(one.id, 0) for one in machines}
    if sort is Sort.VERDICT:
        standings = verification.standings(mine, now)
        ranks = {state: rank for rank, state in enumerate(_WORST_FIRST)}
        return {
            one.id: ranks[standings[one.id].state] if one.id in standings else 0 for one in machines
        }
    return {one.id: int(one.enrolled_at.timestamp() * 1000) for one in machines}


def _rows(
    page: Sequence[Machine], done: Mapping[UUID, Lately], *, host_id: int, now: datetime
) -> tuple[HostRow, ...]:
    ids = [one.id for one in page]
    shown = Machine.objects.filter(id__in=ids)
    offers = {one.machine_id: one for one in of_host(host_id).filter(machine__in=shown)}
    standings = verification.standings(ids, now)
    scores = verification.newest_scores(shown)
    uptimes = machine_queries.uptimes_ppm(ids, now=now)
    return tuple(
        HostRow(
            offer=offers[one.id],
            state=standings[one.id].state,
            occupancy_ppm=done[one.id].occupancy_ppm,
            uptime_ppm=uptimes[one.id],
            earned_microusd=done[one.id].earned_microusd,
            points_micro=scores[one.id].points_micro if one.id in scores else None,
        )
        for one in page
        if one.id in offers and one.id in standings and one.id in uptimes
    )
