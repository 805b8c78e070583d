"""A machine stops by itself what is paid for no longer, and keeps its files."""

from pathlib import Path
from uuid import UUID

import pytest

from protocol.agent import PAID_OUT, ObservedState, Want
from tests.miner_agent.world import World

RUNNING, STOPPED = ObservedState.RUNNING, ObservedState.STOPPED


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


@pytest.fixture
def paid(world: World) -> UUID:
    """Return a placement that runs and is paid for a minute."""
    placement_id = world.want()
    world.ask(placement_id, stop_after_ms=60_000)
    for _ in range(2):
        world.sync()
        world.work()
    assert world.state(placement_id) is RUNNING
    return placement_id


def pass_s(world: World, seconds: int) -> None:
    world.clock.now_ms += seconds * 1000
    for _ in range(2):
        world.work()


def problem(world: World, placement_id: UUID) -> str | None:
    told = world.seen(placement_id).problem
    return None if told is None else told.code


def test_it_is_stopped_on_time_without_a_word_from_the_marketplace(
    world: World, paid: UUID
) -> None:
    pass_s(world, 59)
    assert world.state(paid) is RUNNING
    pass_s(world, 1)
    assert (world.state(paid), problem(world, paid)) == (STOPPED, PAID_OUT)
    assert not [one for one in world.runtime.of(paid) if one.running]
    assert [placement for placement, _ in world.runtime.disks] == [paid]


@pytest.mark.parametrize("boot", ["boot-1", "boot-2"])
def test_an_agent_that_was_away_stops_it_when_it_is_back(
    world: World, paid: UUID, boot: str
) -> None:
    world.clock.now_ms += 61_000
    world.clock.boot = boot
    world.restart()
    pass_s(world, 0)
    assert world.state(paid) is STOPPED


def test_what_is_paid_for_longer_goes_on(world: World, paid: UUID) -> None:
    world.ask(paid, stop_after_ms=3_600_000)
    world.sync()
    pass_s(world, 120)
    assert (world.state(paid), problem(world, paid)) == (RUNNING, None)
    world.ask(paid, stop_after_ms=None)
    world.sync()
    pass_s(world, 3_000)
    assert world.state(paid) is RUNNING


def test_it_runs_again_once_it_is_paid_and_not_before(world: World, paid: UUID) -> None:
    pass_s(world, 60)
    world.ask(paid, stop_after_ms=0)
    for _ in range(2):
        world.sync()
        assert world.state(paid) is STOPPED
        pass_s(world, 1)
    # Nothing was started only to be stopped.
    assert (world.state(paid), world.runtime.starts[paid]) == (STOPPED, 1)
    assert problem(world, paid) == PAID_OUT
    world.ask(paid, want=Want.STOP, stop_after_ms=None)
    world.sync()
    assert (world.state(paid), problem(world, paid)) == (STOPPED, None)
    world.ask(paid, want=Want.RUN, stop_after_ms=3_600_000)
    world.sync()
    pass_s(world, 1)
    assert (world.state(paid), problem(world, paid), world.runtime.starts[paid]) == (
        RUNNING,
        None,
        2,
    )
