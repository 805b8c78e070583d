"""This will gather what a host wants to know about each machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from marketplace.domain.standing import StandingState
from marketplace.machines import queries as machine_queries
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.machines.models import Machine
from marketplace.metering.occupancy import occupancies_ppm
from marketplace.metering.queries import earned_by_machine
from marketplace.verification import queries as verification
from marketplace.verification.models import EpochScore

#: of one page
ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class HostedMachine:
    machine: Machine
    verdict: StandingState
    #: (code, sentence that says what to do)
    reasons: tuple[tuple[str, str], ...]
    #: None: it is new, or just changed
    verdict_since: datetime | None
    verdict_expires_at: datetime | None
    uptime_ppm: int
    #: of thirty days, in millionths
    occupancy_ppm: int
    #: None: not scored yet
    points_micro: int | None
    factors_ppm: Mapping[str, int]
    #: over its whole life, as metering/host_part.py counts it
    earned_microusd: int


@dataclass(frozen=True, slots=True)
class HostedMachines:
    """One page of a host's machines."""

    items: tuple[HostedMachine, ...]
    #: the last of this page where another follows; None: this is the last page
    next_id: UUID | None


def hosted_machines(
    host_id: int, *, now: datetime, after: UUID | None = None, rows_max: int = ROWS_MAX
) -> HostedMachines:
    """Return the host's machines, oldest first, each with verdict, score and earnings.

    ``after``: the last machine of the page before; None: from the first.

    :raises MachineNotYours: when the host has no machine ``after``.
    """
    mine = machine_queries.of_host(host_id)
    if after is not None:
        last = mine.filter(id=after).first()
        if last is None:
            raise MachineNotYours
        later = Q(enrolled_at__gt=last.enrolled_at)
        mine = mine.filter(later | Q(enrolled_at=last.enrolled_at, id__gt=last.id))
    ids = list(mine.values_list("id", flat=True)[: rows_max + 1])
    page = ids[:rows_max]
    items = _hosted_machines(host_id, page, now) if page else ()
    return HostedMachines(items, page[-1] if len(ids) > rows_max else None)


def _hosted_machines(host_id: int, ids: Sequence[UUID], now: datetime) -> tuple[HostedMachine, ...]:
    machines = machine_queries.of_host(host_id).filter(id__in=ids)
    standings = verification.standings(ids, now)
    scores = verification.newest_scores(machines)
    uptimes = machine_queries.uptimes_ppm(ids, now=now)
    earned = earned_by_machine(host_id, machine_ids=ids)
    occupancies = occupancies_ppm(machines, host_id=host_id, now=now)
    return tuple(
        _hosted(
            machine,
            standings[machine.id],
            scores.get(machine.id),
            uptime_ppm=uptimes[machine.id],
            occupancy_ppm=occupancies[machine.id],
            earned_microusd=earned.get(machine.id, 0),
        )
        for machine in machines
        if machine.id in standings and machine.id in uptimes
    )


def _hosted(
    machine: Machine,
    standing: verification.Standing,
    score: EpochScore | None,
    *,
    uptime_ppm: int,
    occupancy_ppm: int,
    earned_microusd: int,
) -> HostedMachine:
    return HostedMachine(
        machine=machine,
        verdict=standing.state,
        reasons=tuple((reason.code, reason.message) for reason in standing.reasons),
        verdict_since=standing.since,
        verdict_expires_at=standing.expires_at,
        uptime_ppm=uptime_ppm,
        occupancy_ppm=occupancy_ppm,
        points_micro=score.points_micro if score else None,
        factors_ppm=score.factors_ppm if score else {},
        earned_microusd=earned_microusd,
    )
