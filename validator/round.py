"""This will make one pass: targets, inspect, prove, verdict; then the epoch's scores.

A step function over injected ports: it never sleeps, never reads a clock of its own, and one
failing machine never keeps another from its verdict.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from protocol.validator import EpochRecord, ScoreReport, Target, Verdict, VerdictState
from validator.domain.scoring import score
from validator.domain.verdict import Look, Outcome, decide
from validator.market import MarketRefused, MarketUnreachable

logger = logging.getLogger(__name__)

#: a machine that answered before may be silent for so many passes before anything is said of it
SILENT_PASSES_MAX = 2


class MarketPort(Protocol):
    """What a pass needs of the marketplace."""

    async def targets(self) -> tuple[Target, ...]: ...

    async def post_verdict(self, verdict: Verdict) -> None: ...

    async def epoch(self) -> EpochRecord: ...

    async def post_scores(self, report: ScoreReport) -> None: ...


class InspectorPort(Protocol):
    """What a pass needs of SSH and the proof."""

    async def look(self, target: Target) -> Look: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a pass touches."""

    market: MarketPort
    inspector: InspectorPort
    now_ms: Callable[[], int]
    hotkey: str
    machines_at_once: int = 8


@dataclass(slots=True)
class Memory:
    """What is kept between passes: how often in a row each known machine was silent."""

    silent_passes: dict[UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass did."""

    verdicts: tuple[Verdict, ...]
    #: machines whose look or verdict failed on our side
    failed: int
    #: None: the scores could not be handed in
    scored: int | None


async def run_pass(ports: Ports, memory: Memory) -> PassReport:
    """Look at every target once, hand in the verdicts, then the scores of the current epoch.

    :raises MarketUnreachable, MarketRefused: when even the targets cannot be had.
    """
    targets = await ports.market.targets()
    _forget_all_but(targets, memory)
    turn = asyncio.Semaphore(ports.machines_at_once)
    looked = await asyncio.gather(
        *(_one_machine(ports, memory, turn, target) for target in targets), return_exceptions=True
    )
    verdicts = tuple(verdict for verdict in looked if isinstance(verdict, Verdict))
    failed = _count_failures(targets, looked)
    return PassReport(verdicts=verdicts, failed=failed, scored=await _hand_in_scores(ports))


async def _one_machine(
    ports: Ports, memory: Memory, turn: asyncio.Semaphore, target: Target
) -> Verdict | None:
    async with turn:
        look = await ports.inspector.look(target)
        if not _worth_saying(look, target, memory):
            return None
        verdict = decide(hotkey=ports.hotkey, target=target, look=look, now_ms=ports.now_ms())
        await ports.market.post_verdict(verdict)
    level = logging.INFO if verdict.state is VerdictState.VERIFIED else logging.WARNING
    logger.log(
        level,
        "Verdict given: %s %s %s",
        target.machine_id,
        verdict.state.value,
        ",".join(reason.code for reason in verdict.reasons),
    )
    return verdict


def _worth_saying(look: Look, target: Target, memory: Memory) -> bool:
    """Silence is unknown, not bad: a machine that answered before gets some passes of grace.

    Its last verdict meanwhile runs to its own expiry. A machine never seen is told at once, because
    its host waits for the reason.
    """
    known = memory.silent_passes.get(target.machine_id)
    if look.outcome is not Outcome.SILENT:
        memory.silent_passes[target.machine_id] = 0
        return True
    if known is None:
        return True
    memory.silent_passes[target.machine_id] = known + 1
    return known + 1 > SILENT_PASSES_MAX


def _forget_all_but(targets: tuple[Target, ...], memory: Memory) -> None:
    current = {target.machine_id for target in targets}
    for machine_id in memory.silent_passes.keys() - current:
        del memory.silent_passes[machine_id]


def _count_failures(
    targets: tuple[Target, ...], looked: list[Verdict | BaseException | None]
) -> int:
    failed = 0
    for target, result in zip(targets, looked, strict=True):
        if isinstance(result, MarketUnreachable | MarketRefused):
            failed += 1
            logger.warning("Verdict not handed in: %s %s", target.machine_id, result)
        elif isinstance(result, Exception):
            failed += 1
            logger.error("Look failed: %s", target.machine_id, exc_info=result)
        elif isinstance(result, BaseException):
            raise result
    return failed


async def _hand_in_scores(ports: Ports) -> int | None:
    try:
        epoch = await ports.market.epoch()
        report = ScoreReport(validator_hotkey=ports.hotkey, epoch=epoch.epoch, scores=score(epoch))
        await ports.market.post_scores(report)
    except (MarketUnreachable, MarketRefused) as error:
        logger.warning("Scores not handed in: %s", error)
        return None
    return len(report.scores)
