"""This will hold what a validator reaches outside of itself, and what it keeps between steps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from protocol.validator import EpochRecord, ScoreReport, Target, Verdict
from validator.barrier import Gate, open_gate
from validator.domain import schedule
from validator.domain.schedule import Known
from validator.domain.verdict import Look
from validator.turns import Turns


class MarketPort(Protocol):
    """What a step needs of the marketplace."""

    async def targets(self) -> tuple[Target, ...]: ...

    async def target(self, machine_id: UUID) -> Target | None: ...

    async def post_verdict(self, verdict: Verdict) -> None: ...

    async def epoch(self) -> EpochRecord: ...

    async def newest_closed(self) -> int | None: ...

    async def closed(self, epoch: int) -> EpochRecord: ...

    async def post_scores(self, report: ScoreReport) -> None: ...


class InspectorPort(Protocol):
    """What a step needs of SSH and the proof."""

    async def look(
        self, target: Target, *, facts_only: bool = False, gate: Gate = open_gate
    ) -> Look: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a step touches."""

    market: MarketPort
    inspector: InspectorPort
    now_ms: Callable[[], int]
    #: upper bound -> a random number below it
    below: Callable[[int], int]
    hotkey: str
    machines_at_once: int = 8
    #: the list of machines is asked for again after this
    list_again_ms: int = 3_000
    #: mean time from one proof of an idle machine to its next; of windows it is twice that
    proof_mean_ms: int = schedule.PROOF_MEAN_MS


@dataclass(slots=True)
class Memory:
    """What is kept between steps."""

    machines: dict[UUID, Known] = field(default_factory=dict)
    #: the machines to look at, those whose verdict ends first at the front
    listed: tuple[Target, ...] = ()
    list_again_ms: int = 0
    #: what was vouched for before this validator started was taken over
    recalled: bool = False
    #: those of them that were due when all were gone through last
    turns: Turns = field(default_factory=Turns)
    #: all are gone through again after this
    due_again_ms: int = 0
    #: machines that are to be proven together wait for room
    group_waits: bool = False
    scores_again_ms: int = 0
    #: the newest closed epoch that was scored
    closed_scored: int | None = None
    #: a verdict was given since scores were handed in
    unscored: bool = False
    #: looks that run now
    looks: dict[UUID, "asyncio.Task[Verdict | None]"] = field(default_factory=dict)
    #: those of them at machines that may well answer nothing
    unwell: set[UUID] = field(default_factory=set)
    #: when the next window of each GPU model opens
    windows_ms: dict[str, int] = field(default_factory=dict)
    #: what contradicted itself at the last look that read a machine's facts
    contradicted: dict[UUID, frozenset[str]] = field(default_factory=dict)
    #: looks that failed on our side are not made again before
    not_before_ms: dict[UUID, int] = field(default_factory=dict)

    def recall(self, ports: Ports) -> None:
        """Take over once, from the first list of machines, what was vouched for before."""
        if self.recalled:
            return
        self.recalled = True
        for target in self.listed:
            known = schedule.remembered(target, ports.now_ms(), ports.below, ports.proof_mean_ms)
            if known is not None:
                self.machines[target.machine_id] = known

    def doubt(self, machine_id: UUID, *, now_ms: Callable[[], int]) -> None:
        """Let a machine's next proof be due; one that was never looked at is due anyway."""
        known = self.machines.get(machine_id)
        if known is not None:
            self.machines[machine_id] = schedule.doubted(known, now_ms())
