"""Notes that cannot be written, for want of room or of a turn: the agent stays up and goes on."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from miner_agent import reserve, store
from miner_agent.command import run
from miner_agent.domain import backoff
from miner_agent.machine import Machine
from miner_agent.settings import read
from miner_agent.store import Store, StoreUnwritable
from miner_agent.supervisor import Supervisor
from protocol.agent import ObservedState, Problem, SyncRequest
from protocol.receipts import check_chain
from tests.miner_agent.test_machine import Rooted
from tests.miner_agent.test_supervisor import DEADLINE_S, WorldMarket
from tests.miner_agent.world import World

ROOM_BYTES = 8 << 20
WRITE = "INSERT INTO fact VALUES ('name', ?)"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    home.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES}", "small", str(home)])
    yield home
    run(["umount", "-l", str(home)])


def fill(home: Path) -> None:
    """Take all the room there is."""
    with (home / "full").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert reserve.room_bytes(home) == 0


def test_what_a_full_disk_refuses_hinders_nothing_afterwards(small: Path) -> None:
    opened = Store(small / "journal")
    fill(small)
    with pytest.raises(StoreUnwritable, match="disk is full"), opened.transaction():
        opened.write(WRITE, ["x" * 100_000])
    with pytest.raises(StoreUnwritable, match="disk is full"):
        opened.write(WRITE, ["x" * 100_000])
    assert opened.rows("SELECT * FROM fact") == []
    (small / "full").unlink()
    with opened.transaction():
        opened.write(WRITE, ["kept"])
    assert opened.rows("SELECT value FROM fact") == [("kept",)]
    opened.close()


def test_an_agent_starts_on_a_full_disk_with_the_room_that_it_kept(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "ROOM_BYTES_LEAST", 1)
    Store(small / "journal").close()
    reserve.keep(small)
    fill(small)
    with pytest.raises(StoreUnwritable):
        Store(small / "journal")
    reserve.use(small)
    opened = Store(small / "journal")
    opened.write(WRITE, ["kept"])
    opened.close()
    (small / "full").unlink()
    reserve.keep(small)
    assert (small / reserve.NAME).stat().st_size == reserve.SIZE_BYTES


def test_a_full_disk_is_measured_and_keeps_no_half_of_the_answer(small: Path) -> None:
    machine = Machine(read({"BERTH_AGENT_HOME": str(small)}))
    fill(small)
    assert machine.disk_bytes(Rooted()) >= 0
    assert not (small / "disk_bytes").exists()
    (small / "full").unlink()
    assert machine.disk_bytes(Rooted()) == int((small / "disk_bytes").read_text())


class HeardMarket(WorldMarket):
    """Keeps what it was told last."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.told: SyncRequest | None = None

    async def sync(self, request: SyncRequest) -> object:
        self.told = request
        for signed in request.intervals:
            chain = self._world.chains.setdefault(signed.interval.placement_id, [])
            chain += [signed] if signed.interval.sequence == len(chain) else []
        return await super().sync(request)


async def test_an_agent_stays_up_on_a_full_disk_and_goes_on_when_there_is_room(
    small: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backoff, "LONGEST_MS", 50)
    # Every write needs room for itself, as with a log that was just begun.
    monkeypatch.setattr(store, "LOG_PAGES", 10_000)
    world = World(small / "journal", room_bytes=lambda: reserve.room_bytes(small) << 8)
    placement_id = world.want()
    world.settle()
    began_ms = world.clock.now_ms
    market = HeardMarket(world)
    supervisor = Supervisor(agent=world.agent, market=market, hardware=lambda: None)
    running = asyncio.create_task(supervisor.run())

    async def until(holds: Callable[[], bool]) -> None:
        while not holds():
            assert not running.done()
            await asyncio.sleep(0.02)

    def problem() -> Problem | None:
        return market.told.problem if market.told else None

    try:
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: market.told is not None)
            fill(small)
            others = [world.want() for _ in range(2)]
            await until(lambda: problem() is not None)
            world.clock.now_ms += 40_000
            # Its next interval is refused, and told neither before nor instead of what comes later.
            await until(lambda: "look failed" in caplog.text)
            assert getattr(problem(), "code", "") == "disk_full"
            assert world.runtime.starts == {placement_id: 1}
            assert not set(others) & set(world.journal.placements())
            os.truncate(small / "full", 0)
            await until(lambda: problem() is None)
            await until(lambda: world.runtime.running() == {placement_id, *others})
            world.clock.now_ms += 40_000
            await until(lambda: check_chain(world.chains[placement_id]) >= 80_000)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert world.state(placement_id) is ObservedState.RUNNING
    assert check_chain(world.chains[placement_id]) <= world.clock.now_ms - began_ms + 400_000


async def test_an_agent_stays_up_while_another_program_holds_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backoff, "LONGEST_MS", 50)
    monkeypatch.setattr(store, "BUSY_MS_MAX", 1)
    world = World(tmp_path / "journal")
    placement_id = world.want()
    world.settle()
    holder = sqlite3.connect(world.path, isolation_level=None)
    market = HeardMarket(world)
    supervisor = Supervisor(agent=world.agent, market=market, hardware=lambda: None)
    with contextlib.closing(holder):
        holder.execute("BEGIN IMMEDIATE")
        other = world.want()
        # An interval is due, and something new is desired.
        world.clock.now_ms += 40_000
        running = asyncio.create_task(supervisor.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not {"look failed", "sync failed"} <= set(caplog.messages):
                    assert not running.done()
                    await asyncio.sleep(0.02)
                assert other not in world.journal.placements()
                holder.execute("ROLLBACK")
                while world.runtime.running() != {placement_id, other}:
                    assert not running.done()
                    await asyncio.sleep(0.02)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
