"""The agent killed before and after every single write of its journal, from start to end."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from miner_agent.domain.claims import PORT
from miner_agent.journal import Journal
from miner_agent.store import Store
from protocol.agent import ObservedPlacement, ObservedState
from protocol.receipts import check_chain
from protocol.workload import PlacementKind
from tests.miner_agent.world import Killed, World


@dataclass(frozen=True)
class Wish:
    """Something that a renter wants, and how the marketplace sees that it is done."""

    ask: Callable[[World, UUID], None]
    is_done: Callable[[ObservedPlacement], bool]
    keeps_files: bool = True


class FragileStore(Store):
    """The real one, whose process dies at one of its writes: just before or just after it."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._pass_moment()
        with super().transaction():
            yield
        self._pass_moment()

    def _pass_moment(self) -> None:
        FragileJournal.moments += 1
        if FragileJournal.moments == FragileJournal.killed_at:
            raise Killed


class FragileJournal(Journal):
    """The real journal on a fragile store."""

    moments = 0
    killed_at = -1

    def __init__(self, path: Path) -> None:
        self._store = FragileStore(path)


def live(world: World, *, until: Callable[[], bool]) -> None:
    """Let the agent work and sync, with a new life after each kill, which looks before it asks."""
    for _ in range(12):
        try:
            world.clock.now_ms += 12_000
            world.sync()
            world.work()
        except Killed:
            world.restart()
            world.work()
        if until():
            return
    raise AssertionError(f"It did not come to that: {world.journal.placements()}")


def play(path: Path, wishes: Sequence[Wish], *, killed_at: int) -> int:
    """Run one placement from its offer to its end; return how many moments there were."""
    world = World(path, journal_type=FragileJournal)
    world.runtime.bad_images.add("bad")
    placement_id = world.want()

    def is_running() -> bool:
        row = world.journal.find(placement_id)
        return row is not None and row.state is ObservedState.RUNNING

    FragileJournal.moments, FragileJournal.killed_at = 0, killed_at
    live(world, until=is_running)
    assert world.runtime.running() == {placement_id}
    world.runtime.write(placement_id, "kept")
    for wish in wishes:
        wish.ask(world, placement_id)
        # It may be killed after it has done what was wished, before anybody has heard of it.
        live(world, until=lambda wish=wish: wish.is_done(world.seen(placement_id)))
        if wish.keeps_files:
            assert "kept" in world.runtime.disks.values()
    live(world, until=is_running)
    world.end(placement_id)
    live(world, until=lambda: world.state(placement_id) is ObservedState.GONE)
    FragileJournal.killed_at = -1
    for _ in range(2):
        world.sync()
        world.work()
    assert world.runtime.found == {}
    assert world.runtime.disks == {}
    assert world.journal.claimed(PORT) == frozenset()
    assert 0 < check_chain(world.chains[placement_id]) <= world.runtime.lived_ms[placement_id]
    world.desired.clear()
    world.sync()
    assert world.journal.placements() == {}
    world.journal.close()
    return FragileJournal.moments


def play_killed_everywhere(folder: Path, *wishes: Wish) -> None:
    moments = play(folder / "undisturbed", wishes, killed_at=-1)
    assert moments > 20
    for moment in range(1, moments + 1):
        play(folder / f"killed-{moment}", wishes, killed_at=moment)


STOP = Wish(World.stop, lambda seen: seen.state is ObservedState.STOPPED)
START = Wish(World.run, lambda seen: seen.state is ObservedState.RUNNING)
RESTART = Wish(
    World.restart_placement,
    lambda seen: (seen.state, seen.restarts) == (ObservedState.RUNNING, 1),
)
RESET = Wish(
    World.reset,
    lambda seen: (seen.state, seen.resets) == (ObservedState.RUNNING, 1),
    keeps_files=False,
)
CHANGE = Wish(
    lambda world, placement_id: world.alter(placement_id, ports=(80,)),
    lambda seen: (seen.state, seen.edition, len(seen.ports)) == (ObservedState.RUNNING, 1, 1),
)
BAD_CHANGE = Wish(
    lambda world, placement_id: world.alter(placement_id, image="bad"),
    lambda seen: seen.state is ObservedState.RUNNING and seen.change_problem is not None,
)


@pytest.mark.parametrize(
    "wishes",
    [(), (STOP, START), (RESTART,), (RESET,), (CHANGE,), (BAD_CHANGE,)],
    ids=["start to end", "stop", "restart", "reset", "change", "bad change"],
)
def test_a_kill_at_any_write_neither_ends_nor_leaks_a_placement(wishes: tuple[Wish, ...]) -> None:
    # In memory: the journal flushes every write to disk, and here only its order matters.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        play_killed_everywhere(Path(folder), *wishes)


def play_job(path: Path, *, killed_at: int) -> int:
    """Run one job, whose process ends with 3; return how many moments there were."""
    world = World(path, journal_type=FragileJournal)
    placement_id = world.want(kind=PlacementKind.JOB, command=("work",))
    FragileJournal.moments, FragileJournal.killed_at = 0, killed_at
    live(world, until=lambda: world.runtime.running() == {placement_id})
    world.runtime.die(placement_id, exit_code=3)

    def is_gone() -> bool:
        row = world.journal.find(placement_id)
        return row is not None and row.state is ObservedState.GONE

    live(world, until=is_gone)
    FragileJournal.killed_at = -1
    told = world.seen(placement_id)
    assert (told.exit_code, told.problem) == (3, None)
    assert world.runtime.starts == {placement_id: 1}
    world.journal.close()
    return FragileJournal.moments


def test_a_kill_at_any_write_neither_loses_how_a_job_ended_nor_starts_it_again() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        moments = play_job(Path(folder) / "undisturbed", killed_at=-1)
        assert moments > 10
        for moment in range(1, moments + 1):
            play_job(Path(folder) / f"killed-{moment}", killed_at=moment)
