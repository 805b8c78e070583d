"""The agent killed before and after every single write of its journal, from start to end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from miner_agent.domain.claims import PORT
from miner_agent.journal import Journal
from protocol.agent import ObservedState
from protocol.receipts import check_chain
from tests.miner_agent.world import Killed, World


class FragileJournal(Journal):
    """The real journal, whose process dies at one of its writes: just before or just after it."""

    moments = 0
    killed_at = -1

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._pass_moment()
        with super()._transaction():
            yield
        self._pass_moment()

    def _pass_moment(self) -> None:
        FragileJournal.moments += 1
        if FragileJournal.moments == FragileJournal.killed_at:
            raise Killed


def live(world: World, *, until: ObservedState) -> None:
    """Let the agent work and sync, with a new life after each kill, which looks before it asks."""
    (placement_id,) = world.desired
    for _ in range(8):
        try:
            world.clock.now_ms += 12_000
            world.sync()
            world.work()
        except Killed:
            world.restart()
            world.work()
        row = world.journal.find(placement_id)
        if row is not None and row.state is until:
            return
    raise AssertionError(f"It did not come to {until}: {row}")


def play(path: Path, *, killed_at: int) -> int:
    """Run one placement from its offer to its end; return how many moments there were."""
    world = World(path, journal_type=FragileJournal)
    placement_id = world.want()
    FragileJournal.moments, FragileJournal.killed_at = 0, killed_at
    live(world, until=ObservedState.RUNNING)
    assert world.runtime.running() == {placement_id}
    live(world, until=ObservedState.RUNNING)
    world.end(placement_id)
    live(world, until=ObservedState.GONE)
    FragileJournal.killed_at = -1
    world.settle()
    assert world.runtime.found == {}
    assert world.runtime.disks == {}
    assert world.journal.claimed(PORT) == frozenset()
    assert 0 < check_chain(world.chains[placement_id]) <= world.runtime.lived_ms[placement_id]
    world.desired.clear()
    world.sync()
    assert world.journal.placements() == {}
    world.journal.close()
    return FragileJournal.moments


def test_a_kill_at_any_write_neither_ends_nor_leaks_a_placement(tmp_path: Path) -> None:
    moments = play(tmp_path / "undisturbed", killed_at=-1)
    assert moments > 20
    for moment in range(1, moments + 1):
        play(tmp_path / f"killed-{moment}", killed_at=moment)
