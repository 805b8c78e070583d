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
from validator.domain.verdict import UNKNOWN, Look, decide
from validator.market import MarketRefused, MarketUnreachable

logger = logging.getLogger(__name__)

#: a machine that answered before may be silent for so long before anything is said of it
SILENT_GRACE_MS = 120_000
#: A good machine is looked at again after a random time between these, so that it cannot know when;
#: both are far below VerdictRules.valid_ms. Source: gpu_verification.md 2.8, but shorter
GOOD_AGAIN_MS = (5 * 60_000, 15 * 60_000)
#: any other is looked at again soon, then ever later: its host may be mending it
BAD_AGAIN_MS_MIN = 2_000
BAD_AGAIN_MS_MAX = 64_000
#: scores are handed in again after this, and at once after any verdict
SCORES_AGAIN_MS = 60_000


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
    #: upper bound -> a random number below it
    below: Callable[[int], int]
    hotkey: str
    machines_at_once: int = 8


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of one machine; all of it may be lost at any time."""

    target: Target
    look_again_ms: int
    #: since its last good verdict
    bad_looks: int
    #: whether it ever answered
    answered: bool
    #: since when it has not; None: it answered at the last look
    silent_since_ms: int | None


@dataclass(slots=True)
class Memory:
    """What is kept between passes."""

    machines: dict[UUID, Known] = field(default_factory=dict)
    scores_again_ms: int = 0


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass did."""

    verdicts: tuple[Verdict, ...]
    #: machines whose look or verdict failed on our side
    failed: int
    #: machines in the scores handed in; None: they were not due or could not be handed in
    scored: int | None


async def run_pass(ports: Ports, memory: Memory) -> PassReport:
    """Look at every target that is due, hand in the verdicts, then the current epoch's scores.

    :raises MarketUnreachable, MarketRefused: when even the targets cannot be had.
    """
    listed = await ports.market.targets()
    _forget_all_but(listed, memory)
    targets = tuple(target for target in listed if _is_due(target, memory, ports.now_ms()))
    turn = asyncio.Semaphore(ports.machines_at_once)
    looked = await asyncio.gather(
        *(_one_machine(ports, memory, turn, target) for target in targets), return_exceptions=True
    )
    verdicts = tuple(verdict for verdict in looked if isinstance(verdict, Verdict))
    failed = _count_failures(targets, looked)
    scored = None
    if verdicts or ports.now_ms() >= memory.scores_again_ms:
        scored = await _hand_in_scores(ports)
        memory.scores_again_ms = ports.now_ms() + SCORES_AGAIN_MS
    return PassReport(verdicts=verdicts, failed=failed, scored=scored)


async def _one_machine(
    ports: Ports, memory: Memory, turn: asyncio.Semaphore, target: Target
) -> Verdict | None:
    async with turn:
        look = await ports.inspector.look(target)
        verdict = decide(hotkey=ports.hotkey, target=target, look=look, now_ms=ports.now_ms())
        before = memory.machines.get(target.machine_id)
        known = _known(ports, before, target, look, verdict)
        memory.machines[target.machine_id] = known
        if _is_in_grace(known, ports.now_ms()):
            return None
        try:
            await ports.market.post_verdict(verdict)
        except (MarketUnreachable, MarketRefused):
            # Forgotten means due: the next pass looks again and hands in what it finds then.
            del memory.machines[target.machine_id]
            raise
    level = logging.INFO if verdict.state is VerdictState.VERIFIED else logging.WARNING
    logger.log(
        level,
        "Verdict given: %s %s %s",
        target.machine_id,
        verdict.state.value,
        ",".join(reason.code for reason in verdict.reasons),
    )
    return verdict


def _is_due(target: Target, memory: Memory, now_ms: int) -> bool:
    known = memory.machines.get(target.machine_id)
    if known is None or now_ms >= known.look_again_ms:
        return True
    # Another boot, other hardware, another address: what was proven is of another machine.
    return (known.target.claimed, known.target.address, known.target.control_port) != (
        target.claimed,
        target.address,
        target.control_port,
    )


def _known(
    ports: Ports, before: Known | None, target: Target, look: Look, verdict: Verdict
) -> Known:
    now_ms = ports.now_ms()
    if verdict.state is VerdictState.VERIFIED:
        bad_looks = 0
        earliest_ms, latest_ms = GOOD_AGAIN_MS
        wait_ms = earliest_ms + ports.below(latest_ms - earliest_ms)
    else:
        bad_looks = 1 + (0 if before is None else before.bad_looks)
        wait_ms = min(BAD_AGAIN_MS_MIN << min(bad_looks - 1, 16), BAD_AGAIN_MS_MAX)
    silent = look.outcome in UNKNOWN
    silent_before = None if before is None else before.silent_since_ms
    return Known(
        target=target,
        look_again_ms=now_ms + wait_ms,
        bad_looks=bad_looks,
        answered=not silent or (before is not None and before.answered),
        silent_since_ms=(now_ms if silent_before is None else silent_before) if silent else None,
    )


def _is_in_grace(known: Known, now_ms: int) -> bool:
    """Silence is unknown, not bad: a machine that answered before keeps its last verdict a while.

    That runs to its own expiry. A machine that never answered is told at once, because its host
    waits for the reason.
    """
    if known.silent_since_ms is None or not known.answered:
        return False
    return now_ms - known.silent_since_ms < SILENT_GRACE_MS


def _forget_all_but(targets: tuple[Target, ...], memory: Memory) -> None:
    current = {target.machine_id for target in targets}
    for machine_id in memory.machines.keys() - current:
        del memory.machines[machine_id]


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
