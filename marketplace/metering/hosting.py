"""This will gather what a host wants to know about each machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.standing import StandingState
from marketplace.machines import queries as machine_queries
from marketplace.machines.models import Machine
from marketplace.metering.occupancy import occupancies_ppm
from marketplace.metering.queries import earned_by_machine
from marketplace.verification import queries as verification
from marketplace.verification.models import EpochScore


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
    #: after fees, over its whole life
    earned_microusd: int


def hosted_machines(host_id: int, *, now: datetime) -> tuple[HostedMachine, ...]:
    """Return the host's machines, oldest first, each with verdict, score and earnings."""
    machines = machine_queries.of_host(host_id)
    standings = verification.standings(machines, now)
    scores = verification.newest_scores(machines)
    uptimes = machine_queries.uptimes_ppm(machines, now=now)
    earned = earned_by_machine(host_id)
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
