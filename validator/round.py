"""This will look at the machines that are due, so many at once, and hand in verdicts and scores.

A step function over injected ports: it waits for no look, never reads a clock of its own, and one
failing or slow machine never keeps another from its verdict.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protocol.validator import ScoreReport, Target, Verdict
from validator import closed_epochs, looking
from validator.domain.scoring import score
from validator.looking import FAILED_AGAIN_MS
from validator.market import MarketRefused, MarketUnreachable
from validator.memory import Memory, Ports

logger = logging.getLogger(__name__)

#: scores are handed in again after this, and at once when the last look of several is done
SCORES_AGAIN_MS = 60_000


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
        memory.due_again_ms = 0
        memory.recall(ports)
        _forget_all_but(memory.listed, memory)
    looking.begin(ports, memory)
    scored = None
    if now_ms >= memory.scores_again_ms or (memory.unscored and not memory.looks):
        scored = await _hand_in_scores(ports, memory)
        memory.scores_again_ms, memory.unscored = ports.now_ms() + SCORES_AGAIN_MS, False
    return Report(verdicts=verdicts, failed=failed, scored=scored)


async def run_pass(ports: Ports, memory: Memory) -> Report:
    """Make steps until every machine that was due has been looked at once.

    :raises MarketUnreachable, MarketRefused: when even the targets cannot be had.
    """
    memory.list_again_ms = 0
    done = await step(ports, memory)
    verdicts, failed, scored = list(done.verdicts), done.failed, done.scored
    begun: set[UUID] = set()
    while memory.looks:
        memory.list_again_ms = memory.due_again_ms = ports.now_ms() + ports.list_again_ms
        begun |= memory.looks.keys()
        if memory.group_waits:
            # Then all are gone through again, and nobody is looked at twice.
            memory.listed = tuple(each for each in memory.listed if each.machine_id not in begun)
        await asyncio.wait(memory.looks.values(), return_when=asyncio.FIRST_COMPLETED)
        more = await step(ports, memory)
        verdicts += more.verdicts
        failed += more.failed
        scored = scored if more.scored is None else more.scored
    return Report(verdicts=tuple(verdicts), failed=failed, scored=scored)


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


def _forget_all_but(targets: tuple[Target, ...], memory: Memory) -> None:
    current = {target.machine_id for target in targets} | memory.looks.keys()
    kept: tuple[dict[UUID, Any], ...]
    kept = (memory.machines, memory.not_before_ms, memory.contradicted)
    for each in kept:
        for machine_id in each.keys() - current:
            del each[machine_id]


async def _hand_in_scores(ports: Ports, memory: Memory) -> int | None:
    try:
        memory.closed_scored = await closed_epochs.hand_in(
            ports.market, hotkey=ports.hotkey, last=memory.closed_scored
        )
        epoch = await ports.market.epoch()
        report = ScoreReport(validator_hotkey=ports.hotkey, epoch=epoch.epoch, scores=score(epoch))
        await ports.market.post_scores(report)
    except (MarketUnreachable, MarketRefused) as error:
        logger.warning("Scores not handed in: %s", error)
        return None
    return len(report.scores)
