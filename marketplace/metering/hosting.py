"""This will gather what a host wants to know about each machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketplace.machines import queries as machine_queries
from marketplace.machines.models import Machine
from marketplace.metering.queries import earned_by_machine
from marketplace.verification import queries as verification
from protocol.validator import SignedVerdict


@dataclass(frozen=True, slots=True)
class HostedMachine:
    machine: Machine
    #: empty: nobody's verdict stands
    verdict: str
    #: (code, sentence that says what to do)
    reasons: tuple[tuple[str, str], ...]
    verdict_expires_at: datetime | None
    uptime_ppm: int
    #: None: not scored yet
    points_micro: int | None
    factors_ppm: Mapping[str, int]
    #: after fees, over its whole life
    earned_microusd: int


def hosted_machines(host_id: int, *, now: datetime) -> tuple[HostedMachine, ...]:
    """Return the host's machines, oldest first, each with verdict, score and earnings."""
    earned = earned_by_machine(host_id)
    return tuple(
        _hosted(machine, earned.get(machine.id, 0), now)
        for machine in machine_queries.of_host(host_id)
    )


def _hosted(machine: Machine, earned_microusd: int, now: datetime) -> HostedMachine:
    verdict = verification.current_verdict(machine.id, now)
    score = verification.newest_score(machine.id)
    reasons: tuple[tuple[str, str], ...] = ()
    if verdict is not None:
        told = SignedVerdict.model_validate(verdict.signed).verdict.reasons
        reasons = tuple((reason.code, reason.message) for reason in told)
    return HostedMachine(
        machine=machine,
        verdict=verdict.state if verdict else "",
        reasons=reasons,
        verdict_expires_at=verdict.expires_at if verdict else None,
        uptime_ppm=machine_queries.uptime_ppm(machine.id, now=now),
        points_micro=score.points_micro if score else None,
        factors_ppm=score.factors_ppm if score else {},
        earned_microusd=earned_microusd,
    )
