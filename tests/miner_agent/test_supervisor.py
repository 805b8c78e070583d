"""The agent's tasks together: nobody's slow start keeps another rental from its end."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from miner_agent.domain.placement import Placement
from miner_agent.domain.reply import Heard
from miner_agent.market import MarketUnreachable
from miner_agent.supervisor import GATHER_S, Supervisor
from protocol.agent import ObservedState, SyncRequest
from protocol.usage import Incident, IncidentBlame, IncidentKind
from tests.miner_agent.world import MemoryRuntime, World

DEADLINE_S = 90
#: starts that wait for their images
SLOW = 20


class WorldMarket:
    """The marketplace of a world, at the supervisor's port."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def sync(self, request: SyncRequest) -> Heard:
        while request.hold_s and request.revision >= self._world.revision:
            await asyncio.sleep(0.01)
        return Heard(self._world.reply())


async def test_slow_images_keep_no_other_rental_from_its_start_or_its_end(tmp_path: Path) -> None:
    world = World(tmp_path / "journal", ports=SLOW + 2, cores=SLOW + 2)
    ends = world.want()
    world.sync()
    world.work()
    done = threading.Event()
    quick = world.runtime.fetch
    hold_starts(world.runtime, done)
    slow = [world.want() for _ in range(SLOW)]
    supervisor = Supervisor(agent=world.agent, market=WorldMarket(world), hardware=lambda: None)
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            while {world.journal.find(one) is not None for one in slow} != {True}:
                await asyncio.sleep(0.01)
            while {world.state(one) for one in slow} != {ObservedState.PREPARING}:
                await asyncio.sleep(0.01)
            other = world.want()
            slow_starts, world.runtime.fetch = world.runtime.fetch, quick
            while world.journal.find(other) is None:
                await asyncio.sleep(0.01)
            while world.state(other) is not ObservedState.RUNNING:
                await asyncio.sleep(0.01)
            world.runtime.fetch = slow_starts
            world.end(ends)
            while world.state(ends) is not ObservedState.GONE:
                await asyncio.sleep(0.01)
    finally:
        done.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("turns", range(6))
async def test_it_ends_also_when_told_in_the_moment_in_which_work_comes(
    tmp_path: Path, turns: int
) -> None:
    world = World(tmp_path / "journal")
    supervisor = Supervisor(agent=world.agent, market=WorldMarket(world), hardware=lambda: None)
    running = asyncio.create_task(supervisor.run())
    # Both of its loops wait now: nothing is desired and nothing changes.
    await asyncio.sleep(0.2)
    supervisor._work.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=60)
    if not done:
        running.cancel()
    assert done


class FarMarket(WorldMarket):
    """A marketplace so far away that something changes again before any answer is there."""

    def __init__(self, world: World, placement_id: UUID) -> None:
        super().__init__(world)
        self._changes = itertools.count()
        self._agent = world.agent
        self._journal = world.journal
        self._placement_id = placement_id

    async def sync(self, request: SyncRequest) -> Heard:
        self._journal.change(self._placement_id, progress=f"pulling {next(self._changes)}")
        self._agent.changed()
        # The answer is there only after the change was noticed; a call that waits is given up.
        await asyncio.sleep(3 * GATHER_S)
        return await super().sync(request)


async def test_a_marketplace_far_away_is_heard_while_something_changes_all_the_time(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "journal")
    changing, ends = world.want(), world.want()
    world.sync()
    world.work()
    world.end(ends)
    market = FarMarket(world, changing)
    supervisor = Supervisor(agent=world.agent, market=market, hardware=lambda: None)
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            while world.state(ends) is not ObservedState.GONE:
                await asyncio.sleep(0.01)
            first = world.journal.fact("nonce")
            world.clock.now_ms += 1
            while world.journal.fact("nonce") == first:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def hold_starts(runtime: MemoryRuntime, done: threading.Event) -> None:
    """Let every start wait for ``done``, as for a registry that sends a byte a minute."""
    fetch = runtime.fetch

    def slow(placement: Placement, *, login: object, progress: object) -> object:
        done.wait(DEADLINE_S)
        return fetch(placement, login=login, progress=progress)

    runtime.fetch = slow


class Told:
    """Numbers and incidents that a test has made up."""

    def __init__(self, incident: Incident) -> None:
        self.untold_now, self.heard, self.looks = (incident,), [], 0

    def look(self) -> None:
        self.looks += 1
        raise RuntimeError("no numbers to-day")

    def take(self) -> None:
        return None

    def untold(self) -> tuple[Incident, ...]:
        return self.untold_now

    def told(self, told: Sequence[Incident]) -> None:
        self.heard += told


async def test_an_incident_counts_as_told_once_a_reply_came_whatever_the_numbers_do(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "journal")
    incident = Incident(
        incident_id=uuid4(),
        at_ms=1,
        kind=IncidentKind.DISK_ERROR,
        blame=IncidentBlame.MACHINE,
        sentence="x",
    )
    telemetry, sent = Told(incident), []

    class HeardLate(WorldMarket):
        async def sync(self, request: SyncRequest) -> Heard:
            sent.append(request.incidents)
            if len(sent) == 1:
                raise MarketUnreachable("not yet")
            assert telemetry.heard == [] or len(sent) > 2
            return await super().sync(request)

    supervisor = Supervisor(
        agent=world.agent,
        market=HeardLate(world),
        hardware=lambda: None,
        telemetry=telemetry,
    )
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not telemetry.heard:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert sent[:2] == [(incident,), (incident,)]
    assert telemetry.heard[0] == incident
    assert telemetry.looks == 1
