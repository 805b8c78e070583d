"""This will look at the machines that are due, so many at once, and hand in verdicts and scores.

A step function over injected ports: it waits for no look, never reads a clock of its own, and one
failing or slow machine never keeps another from its verdict.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from protocol.validator import EpochRecord, ScoreReport, Target, Verdict, VerdictState
from validator.domain.scoring import score
from validator.domain.verdict import UNKNOWN, Look, Outcome, decide
from validator.market import MarketRefused, MarketUnreachable

logger = logging.getLogger(__name__)

#: a machine that answered before may be silent for so long before anything is said of it
SILENT_GRACE_MS = 120_000
#: A good machine is looked at again after a random time between these, so that it cannot know when;
#: both are far below VerdictRules.valid_ms. Source: gpu_verification.md 2.8, but shorter
GOOD_AGAIN_MS = (5 * 60_000, 15 * 60_000)
#: Any other is looked at again soon, then ever later: its host may be mending it. One that was
#: away, or says that it changed, is looked at at once.
BAD_AGAIN_MS_MIN = 2_000
BAD_AGAIN_MS_MAX = 15 * 60_000
#: a look that failed on our side, or whose verdict the marketplace did not take, is made again
FAILED_AGAIN_MS = 2_000
#: scores are handed in again after this, and at once when the last look of several is done
SCORES_AGAIN_MS = 60_000


class MarketPort(Protocol):
    """What a step needs of the marketplace."""

    async def targets(self) -> tuple[Target, ...]: ...

    async def target(self, machine_id: UUID) -> Target | None: ...

    async def post_verdict(self, verdict: Verdict) -> None: ...

    async def epoch(self) -> EpochRecord: ...

    async def post_scores(self, report: ScoreReport) -> None: ...


class InspectorPort(Protocol):
    """What a step needs of SSH and the proof."""

    async def look(self, target: Target) -> Look: ...


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
    """What is kept between steps."""

    machines: dict[UUID, Known] = field(default_factory=dict)
    #: the machines to look at, those whose verdict ends first at the front
    listed: tuple[Target, ...] = ()
    list_again_ms: int = 0
    scores_again_ms: int = 0
    #: a verdict was given since scores were handed in
    unscored: bool = False
    #: looks that run now
    looks: dict[UUID, "asyncio.Task[Verdict | None]"] = field(default_factory=dict)
    #: those of them at machines that may well answer nothing
    unwell: set[UUID] = field(default_factory=set)
    #: looks that failed on our side are not made again before
    not_before_ms: dict[UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What was done in a step or a pass."""

    verdicts: tuple[Verdict, ...] = ()
    #: machines whose look or verdict failed on our side
    failed: int = 0
    #: machines in the scores handed in; None: they were not due or could not be handed in
    scored: int | None = None


async def step(ports: Ports, memory: Memory) -> Report:
    """Take in the looks that are done, begin those that are due, and hand in scores at their time.

    :raises MarketUnreachable, MarketRefused: when even the targets cannot be had.
    """
    verdicts, failed = _take_in(ports, memory)
    memory.unscored = memory.unscored or bool(verdicts)
    now_ms = ports.now_ms()
    if now_ms >= memory.list_again_ms:
        memory.listed = await ports.market.targets()
        memory.list_again_ms = now_ms + ports.list_again_ms
        _forget_all_but(memory.listed, memory)
    _begin_looks(ports, memory)
    scored = None
    if now_ms >= memory.scores_again_ms or (memory.unscored and not memory.looks):
        scored = await _hand_in_scores(ports)
        memory.scores_again_ms, memory.unscored = ports.now_ms() + SCORES_AGAIN_MS, False
    return Report(verdicts=verdicts, failed=failed, scored=scored)


async def run_pass(ports: Ports, memory: Memory) -> Report:
    """Make steps until every machine that was due has been looked at once.

    :raises MarketUnreachable, MarketRefused: when even the targets cannot be had.
    """
    memory.list_again_ms = 0
    done = await step(ports, memory)
    while memory.looks:
        memory.list_again_ms = ports.now_ms() + ports.list_again_ms
        memory.listed = tuple(each for each in memory.listed if each.machine_id not in memory.looks)
        await asyncio.wait(memory.looks.values(), return_when=asyncio.FIRST_COMPLETED)
        more = await step(ports, memory)
        done = Report(
            verdicts=done.verdicts + more.verdicts,
            failed=done.failed + more.failed,
            scored=done.scored if more.scored is None else more.scored,
        )
    return done


def _begin_looks(ports: Ports, memory: Memory) -> None:
    """Begin due looks while there is room, but leave half of it to machines that are well.

    A machine that answers nothing takes a place for its whole time limit, again and again.
    """
    room = ports.machines_at_once - len(memory.looks)
    for_unwell = max(1, ports.machines_at_once // 2) - len(memory.unwell)
    now_ms = ports.now_ms()
    for target in memory.listed:
        if room <= 0:
            return
        if target.machine_id in memory.looks or not _is_due(target, memory, now_ms):
            continue
        if _is_unwell(target, memory):
            if for_unwell <= 0:
                continue
            for_unwell -= 1
            memory.unwell.add(target.machine_id)
        room -= 1
        look = asyncio.ensure_future(_one_machine(ports, memory, target.machine_id))
        memory.looks[target.machine_id] = look


def _is_unwell(target: Target, memory: Memory) -> bool:
    """Say whether it may well answer nothing; what was never proven may, for keys cost nothing."""
    known = memory.machines.get(target.machine_id)
    return target.proven_at_ms is None if known is None else known.bad_looks > 0


def _take_in(ports: Ports, memory: Memory) -> tuple[tuple[Verdict, ...], int]:
    verdicts, failed = [], 0
    for machine_id in [each for each, look in memory.looks.items() if look.done()]:
        look = memory.looks.pop(machine_id)
        memory.unwell.discard(machine_id)
        error = look.exception()
        if error is None:
            verdict = look.result()
            verdicts += [] if verdict is None else [verdict]
            continue
        failed += 1
        memory.not_before_ms[machine_id] = ports.now_ms() + FAILED_AGAIN_MS
        if isinstance(error, MarketUnreachable | MarketRefused):
            logger.warning("Verdict not handed in: %s %s", machine_id, error)
        else:
            logger.error("Look failed: %s", machine_id, exc_info=error)
    return tuple(verdicts), failed


async def _one_machine(ports: Ports, memory: Memory, machine_id: UUID) -> Verdict | None:
    # Asked for anew: renters may have come since the list was made, and the proof leaves them be.
    target = await ports.market.target(machine_id)
    if target is None:
        # It is on the list until that is asked for again.
        memory.not_before_ms[machine_id] = ports.now_ms() + FAILED_AGAIN_MS
        return None
    look = await ports.inspector.look(target)
    verdict = decide(hotkey=ports.hotkey, target=target, look=look, now_ms=ports.now_ms())
    before = memory.machines.get(machine_id)
    known = _known(ports, before, target, look, verdict)
    memory.machines[machine_id] = known
    if _is_in_grace(known, ports.now_ms()) or _may_not_know_us_yet(known, look):
        return None
    try:
        await ports.market.post_verdict(verdict)
    except (MarketUnreachable, MarketRefused):
        # Forgotten means due: it is looked at again, and what is found then is handed in.
        del memory.machines[machine_id]
        raise
    level = logging.INFO if verdict.state is VerdictState.VERIFIED else logging.WARNING
    logger.log(
        level,
        "Verdict given: %s %s %s",
        machine_id,
        verdict.state.value,
        ",".join(reason.code for reason in verdict.reasons),
    )
    return verdict


def _is_due(target: Target, memory: Memory, now_ms: int) -> bool:
    if now_ms < memory.not_before_ms.get(target.machine_id, 0):
        return False
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


def _may_not_know_us_yet(known: Known, look: Look) -> bool:
    """Say whether the next look, 2 s on, shall tell: our key reaches a machine by its next sync."""
    return look.outcome is Outcome.LOGIN_REFUSED and known.bad_looks == 1


def _forget_all_but(targets: tuple[Target, ...], memory: Memory) -> None:
    current = {target.machine_id for target in targets} | memory.looks.keys()
    for kept in (memory.machines, memory.not_before_ms):
        for machine_id in kept.keys() - current:
            del kept[machine_id]


async def _hand_in_scores(ports: Ports) -> int | None:
    try:
        epoch = await ports.market.epoch()
        report = ScoreReport(validator_hotkey=ports.hotkey, epoch=epoch.epoch, scores=score(epoch))
        await ports.market.post_scores(report)
    except (MarketUnreachable, MarketRefused) as error:
        logger.warning("Scores not handed in: %s", error)
        return None
    return len(report.scores)
