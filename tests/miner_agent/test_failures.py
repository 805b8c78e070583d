"""What goes on failing: tried less and less often, reported, and nobody else's trouble."""

import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from miner_agent.containers import PortTaken
from miner_agent.disk import DiskFailed
from miner_agent.domain.claims import CORE
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Action, Step
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import Journal
from miner_agent.market import MarketUnreachable
from miner_agent.ports import AVOIDED_MS
from miner_agent.runtime import CannotRun
from miner_agent.transfers import BlobBroken
from protocol.agent import ObservedState
from protocol.workload import PlacementKind
from tests.miner_agent.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


@pytest.mark.parametrize("error", [ValueError("a defect"), EngineRefused("no")])
def test_a_step_that_goes_on_failing_is_tried_less_and_less_and_then_given_up(
    world: World, error: Exception
) -> None:
    placement_id = world.want()
    world.sync()
    world.runtime.broken = {"start": error}
    for _ in range(600):
        world.clock.now_ms += 100
        world.work()
    # Doubling from half a second: a minute has room for seven tries.
    assert world.runtime.breaks == 7
    assert world.state(placement_id) is ObservedState.PREPARING
    for _ in range(600):
        world.clock.now_ms += 100
        world.work()
    row = world.journal.get(placement_id)
    assert row.state is ObservedState.GONE
    assert row.problem is not None
    assert row.problem.code == "start_failed"
    assert world.runtime.breaks == 8


def test_what_cannot_be_removed_is_reported_and_still_tried(world: World) -> None:
    placement_id = world.want()
    world.settle()
    world.end(placement_id)
    world.runtime.broken = {"remove": DiskFailed("umount: target is busy")}
    world.settle()
    row = world.journal.get(placement_id)
    assert row.state is ObservedState.COLLECTING
    assert row.problem is not None
    assert row.problem.code == "removal_failed"
    world.runtime.broken = {}
    world.settle()
    assert world.state(placement_id) is ObservedState.GONE
    assert world.runtime.disks == {}


def test_one_broken_placement_does_not_keep_another_from_starting(world: World) -> None:
    world.want()
    world.sync()
    world.runtime.broken = {"start": ValueError("a defect")}
    world.work()
    world.runtime.broken = {}
    other = world.want()
    world.sync()
    world.work()
    assert world.state(other) is ObservedState.RUNNING


@pytest.mark.parametrize("error", [EngineUnavailable("nobody there"), EngineRefused("status 500")])
def test_a_lost_engine_is_reported_until_it_is_back(world: World, error: Exception) -> None:
    placement_id = world.want()
    world.settle()
    told: list[str] = []
    world.agent.changed = lambda: told.append("changed")
    world.runtime.broken = {"containers": error}
    for _ in range(3):
        with pytest.raises(EngineUnavailable):
            world.agent.plan()
    request = world.agent.request()
    assert request.problem is not None
    assert request.problem.code == "docker_unavailable"
    assert told == ["changed"]
    assert world.state(placement_id) is ObservedState.RUNNING
    world.runtime.broken = {}
    world.work()
    assert world.agent.request().problem is None
    assert world.runtime.starts[placement_id] == 1


def test_a_lost_engine_does_not_count_against_a_placement(world: World) -> None:
    placement_id = world.want()
    world.sync()
    world.runtime.broken = {"start": EngineUnavailable("nobody there")}
    for _ in range(30):
        world.clock.now_ms += 31_000
        world.work()
    assert world.state(placement_id) is ObservedState.PREPARING
    world.runtime.broken = {}
    world.settle()
    assert world.state(placement_id) is ObservedState.RUNNING


TAKEN = PortTaken("bind: address already in use")
UNSTARTED = CannotRun("no_capacity", "The disk could not be made: mount failed.")


def test_a_port_that_is_taken_before_the_first_run_is_replaced(world: World) -> None:
    placement_id = world.want()
    world.sync()
    port = world.journal.get(placement_id).port
    world.runtime.broken = {"start": TAKEN}
    world.work()
    world.runtime.broken = {}
    world.work()
    row = world.journal.get(placement_id)
    assert row.state is ObservedState.RUNNING
    assert row.port != port


def test_a_port_that_was_taken_is_given_away_again_after_a_while(world: World) -> None:
    ports = []
    for later_ms in (0, AVOIDED_MS - 60_000, 60_001):
        world.clock.now_ms += later_ms
        placement_id = world.want()
        world.sync()
        ports.append(world.journal.get(placement_id).port)
        world.runtime.broken = {} if later_ms else {"start": TAKEN}
        world.work()
        world.runtime.broken = {}
        world.work()
        assert world.state(placement_id) is ObservedState.RUNNING
        world.end(placement_id)
        world.work()
        world.sync()
        world.work()
    assert ports == [1000, 1001, 1000]


class InterruptedJournal(Journal):
    """Lets something else happen before the next new placement is written down."""

    meanwhile: threading.Thread | None = None

    def insert(self, placement: Placement) -> None:
        if self.meanwhile is not None:
            other, self.meanwhile = self.meanwhile, None
            other.start()
            # Nothing tells that it waits for this one: only that it would be done by now.
            other.join(0.5)
        super().insert(placement)


def test_a_new_rental_gets_no_port_that_another_one_moves_to_at_that_moment(tmp_path: Path) -> None:
    world = World(tmp_path / "journal", journal_type=InterruptedJournal)
    first = world.want()
    world.sync()
    world.runtime.broken = {"start": TAKEN}
    second = world.want()
    moves = threading.Thread(target=world.work)
    world.journal.meanwhile = moves
    world.sync()
    moves.join()
    world.runtime.broken = {}
    world.work()
    assert {world.state(one) for one in (first, second)} == {ObservedState.RUNNING}
    assert {world.journal.get(one).port for one in (first, second)} == {1001, 1002}


@pytest.mark.parametrize("error", [TAKEN, UNSTARTED])
def test_what_has_run_is_tried_again_with_its_port_and_its_files(
    world: World, error: Exception
) -> None:
    placement_id = world.want()
    world.settle()
    before = world.journal.get(placement_id)
    world.runtime.die(placement_id)
    world.runtime.broken = {"start": error}
    for _ in range(300):
        world.clock.now_ms += 100
        world.work()
    assert world.runtime.breaks == 6
    world.runtime.broken = {}
    world.settle()
    row = world.journal.get(placement_id)
    assert row.state is ObservedState.RUNNING
    assert (row.port, row.run.number) == (before.port, 1)


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [(TAKEN, "port_unavailable", "port 1000"), (UNSTARTED, "no_capacity", "mount failed")],
)
def test_what_has_run_and_cannot_be_started_again_is_stopped_with_the_reason(
    world: World, error: Exception, code: str, part: str
) -> None:
    placement_id = world.want()
    world.settle()
    world.runtime.die(placement_id)
    world.runtime.broken = {"start": error}
    world.settle()
    seen = world.seen(placement_id)
    assert seen.state is ObservedState.STOPPED
    assert seen.problem is not None
    assert seen.problem.code == code
    assert part in seen.problem.message


def dies_too_often(world: World, placement_id: UUID) -> None:
    for _ in range(8):
        world.runtime.die(placement_id)
        world.settle()


def cannot_be_started(world: World, placement_id: UUID) -> None:
    world.runtime.die(placement_id)
    world.runtime.broken = {"start": EngineRefused("no")}
    world.settle()
    world.runtime.broken = {}


@pytest.mark.parametrize("fails", [dies_too_often, cannot_be_started])
def test_what_is_given_up_keeps_its_files_until_it_is_asked_for_something_else(
    world: World, fails: Callable[[World, UUID], None]
) -> None:
    placement_id = world.want()
    world.settle()
    world.runtime.write(placement_id, "kept")
    fails(world, placement_id)
    # However often the same is desired, and by whichever agent.
    world.restart()
    world.settle()
    seen = world.seen(placement_id)
    assert seen.state is ObservedState.STOPPED
    assert seen.problem is not None
    assert seen.problem.code == "start_failed"
    assert world.journal.claimed(CORE) == frozenset()
    world.stop(placement_id)
    world.settle()
    world.run(placement_id)
    world.settle()
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (ObservedState.RUNNING, None)
    assert world.runtime.read(placement_id) == "kept"


@pytest.mark.parametrize("ask", [World.restart_placement, World.reset])
def test_what_is_given_up_is_tried_again_when_it_is_asked_for_something_else(
    world: World, ask: Callable[[World, UUID], None]
) -> None:
    placement_id = world.want()
    world.settle()
    dies_too_often(world, placement_id)
    ask(world, placement_id)
    world.settle()
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (ObservedState.RUNNING, None)


def test_what_is_given_up_ends_when_it_is_asked_to_and_that_is_no_failure(world: World) -> None:
    placement_id = world.want()
    world.settle()
    dies_too_often(world, placement_id)
    world.end(placement_id)
    world.settle()
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (ObservedState.GONE, None)
    assert world.runtime.disks == {}


def test_what_is_given_up_ends_when_its_paid_time_is_over(world: World) -> None:
    placement_id = world.want()
    world.settle()
    dies_too_often(world, placement_id)
    world.clock.now_ms += 4_000_000
    world.work()
    seen = world.seen(placement_id)
    assert seen.state is ObservedState.GONE
    assert seen.problem is not None
    assert seen.problem.code == "lease_ended"


def test_a_container_that_somebody_removed_does_not_come_back_empty(world: World) -> None:
    placement_id = world.want()
    world.settle()
    world.runtime.die(placement_id)
    del world.runtime.found[placement_id, 0]
    world.runtime.disks.clear()
    world.settle()
    row = world.journal.get(placement_id)
    assert row.state is ObservedState.STOPPED
    assert row.problem is not None
    assert row.problem.code == "container_lost"
    assert world.runtime.starts[placement_id] == 1


def test_a_plan_that_is_older_than_a_jobs_start_or_its_exit_changes_nothing(world: World) -> None:
    placement_id = world.want(kind=PlacementKind.JOB, command=("run",))
    world.settle()
    world.agent.perform(Action(placement_id, Step.FINISH))
    assert world.state(placement_id) is ObservedState.RUNNING
    world.runtime.die(placement_id, exit_code=3)
    world.journal.change(placement_id, state=ObservedState.PREPARING)
    world.agent.perform(Action(placement_id, Step.BRING_UP))
    assert world.journal.get(placement_id).run.number == 0
    world.settle()
    seen = world.seen(placement_id)
    assert (seen.state, seen.exit_code, seen.problem) == (ObservedState.GONE, 3, None)
    assert world.runtime.starts == {placement_id: 1}


def test_a_job_whose_input_comes_broken_again_and_again_says_so(world: World) -> None:
    placement_id = world.want(kind=PlacementKind.JOB, command=("run",))
    world.runtime.broken = {"fetch": BlobBroken("What came is not the file.")}
    world.settle()
    seen = world.seen(placement_id)
    assert seen.problem is not None
    assert (seen.state, seen.problem.code) == (ObservedState.GONE, "input_missing")


@pytest.mark.parametrize("error", [OSError("input/output error"), EngineRefused("no log")])
def test_a_job_whose_outputs_cannot_be_read_ends_and_says_so(
    world: World, error: Exception
) -> None:
    placement_id = world.want(kind=PlacementKind.JOB, command=("run",))
    world.settle()
    world.runtime.broken = {"collect": error}
    world.runtime.die(placement_id, exit_code=0)
    world.settle()
    seen = world.seen(placement_id)
    assert (seen.state, seen.exit_code) == (ObservedState.GONE, 0)
    assert seen.problem is not None
    assert seen.problem.code == "outputs_unreadable"


def test_a_job_waits_with_its_outputs_for_a_marketplace_that_does_not_answer(
    world: World,
) -> None:
    placement_id = world.want(kind=PlacementKind.JOB, command=("run",))
    world.settle()
    world.runtime.broken = {"collect": MarketUnreachable("nobody there")}
    world.runtime.die(placement_id, exit_code=0)
    world.settle()
    assert world.state(placement_id) is ObservedState.COLLECTING
    # Of its own there is one failure, so it goes on.
    world.runtime.broken = {"collect": OSError("once")}
    world.clock.now_ms += 31_000
    world.work()
    world.runtime.broken = {}
    world.settle()
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (ObservedState.GONE, None)


def test_a_reboot_every_few_days_does_not_end_a_rental(world: World) -> None:
    placement_id = world.want()
    world.settle()
    for _ in range(10):
        world.runtime.die(placement_id)
        world.clock.now_ms += 2 * 60 * 60 * 1000
        world.sync()
        world.settle()
    assert world.state(placement_id) is ObservedState.RUNNING
    assert world.runtime.starts[placement_id] == 11
