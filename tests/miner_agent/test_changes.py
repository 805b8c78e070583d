"""Stop, start, restart, reset and change on virtual time: what is kept, freed, refused, counted."""

from pathlib import Path

import pytest

from miner_agent.containers import PortTaken
from miner_agent.domain.claims import CORE, GPU, PORT, SLOT
from miner_agent.domain.last_word import in_order
from miner_agent.domain.reply import Heard
from protocol.agent import ObservedState, Want
from protocol.receipts import check_chain
from protocol.workload import PlacementKind
from tests.miner_agent.world import GPUS, World, resources

RUNNING, STOPPED, GONE = ObservedState.RUNNING, ObservedState.STOPPED, ObservedState.GONE


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


def round_of(world: World) -> None:
    """Let the marketplace's newest wish come true, as far as it can."""
    world.sync()
    for _ in range(5):
        world.clock.now_ms += 1
        world.work()
    world.sync()


def test_a_stop_frees_everything_but_disk_and_ports(world: World) -> None:
    placement_id = world.want(cpus=2, resources=resources(2, gpus=1), ports=(80,))
    round_of(world)
    world.runtime.write(placement_id, "kept")
    ports = world.journal.claimed(PORT)
    assert len(ports) == 2
    world.stop(placement_id)
    round_of(world)
    assert world.state(placement_id) is STOPPED
    assert [world.journal.claimed(kind) for kind in (CORE, GPU, SLOT)] == [frozenset()] * 3
    assert world.journal.claimed(PORT) == ports
    assert world.runtime.running() == set()
    world.ask(placement_id, want=Want.RUN, gpu_uuids=GPUS[1:])
    round_of(world)
    assert world.runtime.read(placement_id) == "kept"
    assert world.runtime.ran[placement_id].gpu_uuids == GPUS[1:]
    assert world.journal.claimed(PORT) == ports


def test_stopped_time_is_not_counted_and_each_start_is_another_run(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    for _ in range(3):
        world.clock.now_ms += 30_000
        world.stop(placement_id)
        round_of(world)
        world.clock.now_ms += 500_000
        world.run(placement_id)
        round_of(world)
    world.end(placement_id)
    world.settle()
    chain = world.chains[placement_id]
    assert check_chain(chain) == world.runtime.lived_ms[placement_id]
    assert sorted({signed.interval.run for signed in chain}) == [0, 1, 2, 3]


def test_a_start_that_finds_no_room_keeps_the_files_and_is_tried_until_there_is(
    world: World,
) -> None:
    placement_id = world.want(cpus=2)
    round_of(world)
    world.runtime.write(placement_id, "kept")
    world.stop(placement_id)
    round_of(world)
    other = world.want(cpus=3)
    round_of(world)
    world.run(placement_id)
    round_of(world)
    seen = world.seen(placement_id)
    assert seen.state is STOPPED
    assert seen.problem is not None
    assert seen.problem.code == "no_capacity"
    world.end(other)
    round_of(world)
    round_of(world)
    assert world.seen(placement_id).state is RUNNING
    assert world.seen(placement_id).problem is None
    assert world.runtime.read(placement_id) == "kept"


@pytest.mark.parametrize("changes", [{}, {"image": "unknown"}])
def test_a_driver_that_shows_no_gpu_once_leaves_what_runs_alone(
    world: World, changes: dict[str, object]
) -> None:
    placement_id = world.want(resources=resources(1, gpus=1))
    round_of(world)
    world.runtime.unknown_images.add("unknown")
    world.alter(placement_id, **changes)
    round_of(world)
    world.gpu_uuids = frozenset()
    world.sync()
    world.gpu_uuids = frozenset(GPUS)
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (RUNNING, None)
    world.end(placement_id)
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (GONE, None)


@pytest.mark.parametrize("ends", [True, False])
def test_a_start_whose_gpu_is_not_shown_waits_and_leaves_no_problem_behind(
    world: World, ends: bool
) -> None:
    placement_id = world.want(resources=resources(1, gpus=1))
    round_of(world)
    world.stop(placement_id)
    round_of(world)
    world.gpu_uuids = frozenset()
    world.run(placement_id)
    round_of(world)
    seen = world.seen(placement_id)
    assert seen.problem is not None
    assert (seen.state, seen.problem.code) == (STOPPED, "no_capacity")
    if not ends:
        world.gpu_uuids = frozenset(GPUS)
        round_of(world)
        world.gpu_uuids = frozenset()
        round_of(world)
        seen = world.seen(placement_id)
        assert (seen.state, seen.problem) == (RUNNING, None)
    world.end(placement_id)
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.problem) == (GONE, None)


def test_what_is_stopped_ends_when_its_paid_time_is_over(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.stop(placement_id)
    round_of(world)
    world.clock.now_ms += 3_600_001
    for _ in range(3):
        world.work()
    assert world.state(placement_id) is GONE
    assert world.runtime.disks == {}


def test_a_restart_is_one_more_run_of_the_same_container(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.runtime.write(placement_id, "kept")
    world.restart_placement(placement_id)
    assert world.seen(placement_id).restarts == 0
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.restarts, seen.run) == (RUNNING, 1, 1)
    assert world.runtime.read(placement_id) == "kept"
    assert set(world.runtime.found) == {(placement_id, 0)}
    round_of(world)
    assert world.runtime.starts[placement_id] == 2


def test_a_reset_empties_the_disk_and_keeps_the_ports(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.runtime.write(placement_id, "gone")
    before = world.seen(placement_id)
    world.reset(placement_id)
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.resets, seen.ssh_port) == (RUNNING, 1, before.ssh_port)
    assert world.runtime.read(placement_id) == ""
    assert list(world.runtime.disks) == [(placement_id, 1)]
    assert set(world.runtime.found) == {(placement_id, 1)}


def test_a_change_of_anything_but_the_image_keeps_the_disk(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.runtime.write(placement_id, "kept")
    world.alter(placement_id, environment={"A": "1"}, ports=(80, 81), resources=resources(3))
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.edition, [port.inside for port in seen.ports]) == (1, [80, 81])
    assert len(world.runtime.ran[placement_id].cores) == 3
    assert world.runtime.read(placement_id) == "kept"
    world.alter(placement_id, ports=(81,), resources=resources(1))
    round_of(world)
    assert len(world.journal.claimed(CORE)) == 1
    assert len(world.journal.claimed(PORT)) == 2
    assert world.seen(placement_id).ports == seen.ports[1:]


def test_an_image_is_fetched_while_what_ran_before_goes_on(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.alter(placement_id, image="other")
    world.sync()
    (fetch,) = world.agent.plan()
    assert fetch.beside
    world.agent.perform(fetch)
    assert world.seen(placement_id).state is RUNNING
    assert world.seen(placement_id).run == 0
    assert world.runtime.running() == {placement_id}
    round_of(world)
    assert world.runtime.ran[placement_id].image.image_id == "other"


def test_an_image_that_nobody_has_leaves_the_run_alone_and_is_asked_for_once(
    world: World,
) -> None:
    placement_id = world.want()
    round_of(world)
    world.runtime.unknown_images.add("nowhere")
    world.alter(placement_id, image="nowhere")
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.run, seen.edition, seen.problem_edition) == (RUNNING, 0, 0, 1)
    assert seen.change_problem is not None
    assert seen.change_problem.code == "image_unknown"
    world.runtime.unknown_images.clear()
    world.restart()
    round_of(world)
    assert world.seen(placement_id).edition == 0
    world.alter(placement_id, image="somewhere")
    round_of(world)
    assert (world.seen(placement_id).edition, world.seen(placement_id).change_problem) == (2, None)


@pytest.mark.parametrize("error", ["bad image", "taken port"])
def test_what_does_not_start_gives_its_place_back(world: World, error: str) -> None:
    placement_id = world.want()
    round_of(world)
    world.runtime.write(placement_id, "kept")
    world.runtime.bad_images.add("bad")
    world.alter(placement_id, image="bad", ports=(80,))
    world.sync()
    world.agent.perform(world.agent.plan()[0])
    if error == "taken port":
        world.runtime.broken = {"start": PortTaken("in use", 1001)}
    world.work()
    world.runtime.broken = {}
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.run, seen.edition) == (RUNNING, 1, 0)
    assert seen.change_problem is not None
    assert world.runtime.read(placement_id) == "kept"
    assert list(world.runtime.disks) == [(placement_id, 0)]
    assert len(world.journal.claimed(PORT)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"resources": resources(4)}, "no_capacity"),
        ({"resources": resources(1, disk_bytes=2)}, "workload_refused"),
        ({"resources": resources(0)}, "workload_refused"),
        ({"resources": resources(1, gpus=1)}, "start_failed"),
        ({"ports": (80, 81, 82, 83)}, "no_capacity"),
        ({"kind": PlacementKind.JOB}, "workload_refused"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_nothing_else_changes(
    world: World, changes: dict[str, object], code: str
) -> None:
    placement_id = world.want()
    round_of(world)
    claimed = [world.journal.claimed(kind) for kind in (CORE, PORT, GPU, SLOT)]
    world.alter(placement_id, **changes)
    round_of(world)
    seen = world.seen(placement_id)
    assert (seen.state, seen.run, seen.edition, seen.problem_edition) == (RUNNING, 0, 0, 1)
    assert seen.change_problem is not None
    assert seen.change_problem.code == code
    assert [world.journal.claimed(kind) for kind in (CORE, PORT, GPU, SLOT)] == claimed
    # The marketplace goes back to the edition that runs.
    workload = world.journal.get(placement_id).workload
    world.ask(placement_id, workload=workload, edition=0)
    round_of(world)
    assert world.seen(placement_id).change_problem is None


def test_a_change_while_stopped_is_made_at_the_next_start(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.stop(placement_id)
    round_of(world)
    world.alter(placement_id, image="other", resources=resources(2))
    round_of(world)
    assert (world.seen(placement_id).state, world.seen(placement_id).edition) == (STOPPED, 0)
    world.run(placement_id)
    round_of(world)
    assert (world.seen(placement_id).state, world.seen(placement_id).edition) == (RUNNING, 1)
    assert len(world.runtime.ran[placement_id].cores) == 2


def test_a_container_that_somebody_removed_comes_back_with_its_disk(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.runtime.write(placement_id, "kept")
    world.runtime.die(placement_id)
    del world.runtime.found[placement_id, 0]
    round_of(world)
    assert world.state(placement_id) is RUNNING
    assert world.runtime.read(placement_id) == "kept"


def test_what_is_stopped_is_told_only_with_its_last_interval(world: World) -> None:
    placement_id = world.want()
    round_of(world)
    world.clock.now_ms += 20_000
    world.stop(placement_id)
    world.agent.apply(Heard(world.reply()))
    for _ in range(3):
        world.work()
    assert world.state(placement_id) is STOPPED
    request = world.agent.request()
    assert [one.state for one in request.placements] == [STOPPED]
    newest = {placement_id: request.intervals[-1].interval.sequence}
    (told,) = in_order(request.placements, sent=request.intervals[:-1], newest=newest)
    assert told.state is RUNNING


def job(world: World, **changes: object) -> object:
    return world.want(kind=PlacementKind.JOB, command=("run",), **changes)


def test_a_job_ends_with_its_process_and_holds_no_port_and_no_network(world: World) -> None:
    placement_id = job(world)
    round_of(world)
    assert world.journal.claimed(PORT) == world.journal.claimed(SLOT) == frozenset()
    world.clock.now_ms += 5_000
    world.runtime.die(placement_id, exit_code=3)
    round_of(world)
    row = world.journal.get(placement_id)
    assert (row.state, row.exit_code, row.problem) == (GONE, 3, None)
    assert world.runtime.starts[placement_id] == 1
    assert world.runtime.disks == {}
    assert check_chain(world.chains[placement_id]) >= 5_000


def test_a_job_that_a_reboot_ended_says_so_and_does_not_start_again(world: World) -> None:
    placement_id = job(world)
    round_of(world)
    world.runtime.die(placement_id, exit_code=255)
    world.clock.boot = "boot-2"
    world.restart()
    round_of(world)
    row = world.journal.get(placement_id)
    assert row.state is GONE
    assert row.problem is not None
    assert row.problem.code == "job_interrupted"
    assert world.runtime.starts[placement_id] == 1


def test_a_stop_of_a_job_is_its_end(world: World) -> None:
    placement_id = job(world)
    round_of(world)
    world.stop(placement_id)
    round_of(world)
    assert world.state(placement_id) is GONE
