"""This will begin the looks that are due, alone or together, and hand in what they found."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from protocol.validator import WITHOUT_PROOF, LookKind, Target, Verdict, VerdictState
from validator.barrier import Barrier
from validator.domain import conviction, schedule, together
from validator.domain.schedule import Known
from validator.domain.verdict import Look, contradictions, decide
from validator.market import MarketRefused, MarketUnreachable
from validator.memory import Memory, Ports
from validator.turns import Turns

logger = logging.getLogger(__name__)

#: a look that failed on our side, or whose verdict the marketplace did not take, is made again
FAILED_AGAIN_MS = 2_000
#: all machines are gone through for those that are due so seldom, or as soon as they are listed
DUE_AGAIN_MS = 1_000


@dataclass(frozen=True, slots=True)
class Joined:
    """That a look begins its proof with others."""

    #: who is waited for
    barrier: Barrier
    #: the group that its verdict names
    group: UUID
    #: whether they show the same hardware
    duplicates: bool


def begin(ports: Ports, memory: Memory) -> None:
    """Begin due looks while there is room, but leave half of it to machines that are well.

    A machine that answers nothing takes a place for its whole time limit, again and again.
    """
    room = ports.machines_at_once - len(memory.looks)
    if room <= 0:
        return
    now_ms = ports.now_ms()
    if now_ms >= memory.due_again_ms or memory.group_waits:
        free = _free(memory, now_ms)
        room -= _begin_together(ports, memory, room, free)
        memory.turns = Turns.of(
            (target, _is_unwell(target, memory))
            for target in free
            if _is_due_alone(target, memory, now_ms)
        )
        memory.due_again_ms = now_ms + DUE_AGAIN_MS
    for_unwell = max(1, ports.machines_at_once // 2) - len(memory.unwell)
    while room > 0 and (target := memory.turns.take(unwell=for_unwell > 0)):
        # It may have been looked at with others since.
        if not _is_free(target, memory, now_ms) or not _is_due_alone(target, memory, now_ms):
            continue
        if _is_unwell(target, memory):
            for_unwell -= 1
            memory.unwell.add(target.machine_id)
        room -= 1
        _start(ports, memory, target.machine_id)


def _begin_together(ports: Ports, memory: Memory, room: int, free: Sequence[Target]) -> int:
    """Return how many places are taken now, or kept free for a group that has too few."""
    now_ms = ports.now_ms()
    groups = together.asked(memory.listed, free, memory.machines, now_ms)
    if room > 1:
        groups += together.windows(
            free, memory.machines, memory.windows_ms, now_ms, ports.below, 2 * ports.proof_mean_ms
        )
    taken = 0
    memory.group_waits = False
    for group in groups:
        machines = together.sample(group.machines, ports.machines_at_once, ports.below)
        if group.key is not None and taken + len(machines) > room:
            taken += len(machines)
            memory.group_waits = True
            continue
        _begin_group(ports, memory, machines[: max(0, room - taken)], group.key)
        taken += len(machines)
    return taken


def _begin_group(
    ports: Ports, memory: Memory, machines: tuple[UUID, ...], key: UUID | None
) -> None:
    barrier = Barrier(machines, wait_s_max=together.WAIT_S_MAX)
    group = key or UUID(int=ports.below(1 << 128))
    for machine_id in machines:
        _start(ports, memory, machine_id, Joined(barrier, group, duplicates=key is not None))


def _start(ports: Ports, memory: Memory, machine_id: UUID, joined: Joined | None = None) -> None:
    look = asyncio.ensure_future(_one_machine(ports, memory, machine_id, joined))
    memory.looks[machine_id] = look


def _free(memory: Memory, now_ms: int) -> list[Target]:
    return [target for target in memory.listed if _is_free(target, memory, now_ms)]


def _is_free(target: Target, memory: Memory, now_ms: int) -> bool:
    machine_id = target.machine_id
    return machine_id not in memory.looks and now_ms >= memory.not_before_ms.get(machine_id, 0)


def _is_due_alone(target: Target, memory: Memory, now_ms: int) -> bool:
    return _kind(target, memory.machines.get(target.machine_id), None, now_ms) is not None


def _is_unwell(target: Target, memory: Memory) -> bool:
    """Say whether it may well answer nothing; what was never proven may, for keys cost nothing."""
    known = memory.machines.get(target.machine_id)
    return target.proven_at_ms is None if known is None else known.bad_looks > 0


async def _one_machine(
    ports: Ports, memory: Memory, machine_id: UUID, joined: Joined | None
) -> Verdict | None:
    try:
        # Asked for anew: renters may have come since the list was made, and the proof leaves them
        # be.
        target = await ports.market.target(machine_id)
        before = memory.machines.get(machine_id)
        kind = None if target is None else _kind(target, before, joined, ports.now_ms())
        if target is None or kind is None:
            # It is on the list, or as it was there, until that is asked for again.
            memory.not_before_ms[machine_id] = ports.now_ms() + FAILED_AGAIN_MS
            return None
        look = await _look(ports, target, kind, joined)
    finally:
        if joined is not None:
            joined.barrier.leave(machine_id)
    return await _conclude(ports, memory, target, kind, look, joined)


def _kind(
    target: Target, before: Known | None, joined: Joined | None, now_ms: int
) -> LookKind | None:
    """Return why it is looked at, as things are now. None: not now after all."""
    if joined is not None:
        return LookKind.TOGETHER
    kind = schedule.due(before, target, now_ms)
    return schedule.meanwhile(before, target, now_ms) if kind is LookKind.TOGETHER else kind


async def _look(ports: Ports, target: Target, kind: LookKind, joined: Joined | None) -> Look:
    if joined is None:
        return await ports.inspector.look(target, facts_only=kind in WITHOUT_PROOF)
    return await ports.inspector.look(
        target, gate=partial(joined.barrier.arrive, target.machine_id)
    )


async def _conclude(
    ports: Ports,
    memory: Memory,
    target: Target,
    kind: LookKind,
    look: Look,
    joined: Joined | None,
) -> Verdict | None:
    machine_id, now_ms = target.machine_id, ports.now_ms()
    before = memory.machines.get(machine_id)
    verdict = decide(
        hotkey=ports.hotkey,
        target=target,
        look=look,
        now_ms=now_ms,
        kind=kind,
        group=None if joined is None else joined.group,
        contradicted_before=memory.contradicted.get(machine_id, frozenset()),
    )
    if look.facts is not None:
        memory.contradicted[machine_id] = contradictions(verdict.findings)
    failures = conviction.count(
        schedule.failures(before, target),
        look,
        duplicate=joined is not None and joined.duplicates,
        now_ms=now_ms,
    )
    verdict = conviction.sentence(verdict, failures)
    known = schedule.after(
        before,
        target=target,
        kind=kind,
        look=look,
        good=verdict.state is VerdictState.VERIFIED,
        failures=failures,
        now_ms=now_ms,
        below=ports.below,
        proof_mean_ms=ports.proof_mean_ms,
    )
    memory.machines[machine_id] = known
    if (
        schedule.is_in_grace(known, now_ms)
        or schedule.may_not_know_us_yet(known, look)
        or (joined is None and schedule.may_have_been_interrupted(known, look))
        # What it shows now was never proven: the proof that follows at once shall tell.
        or (kind in WITHOUT_PROOF and known.owed is LookKind.CHANGE)
    ):
        return None
    try:
        await ports.market.post_verdict(verdict)
    except (MarketUnreachable, MarketRefused):
        # As before the look means due: it is looked at again, and what is found then is handed in.
        if before is None:
            del memory.machines[machine_id]
        else:
            memory.machines[machine_id] = before
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
