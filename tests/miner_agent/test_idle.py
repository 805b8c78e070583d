"""The host's own work runs on what nobody rents, and is gone before somebody's rental starts."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from miner_agent.domain.spare import MEMORY_LEAST, Job, Share, spare
from miner_agent.engine import EngineRefused
from miner_agent.idle import Idle
from protocol.agent import ObservedState
from tests.miner_agent.host import MIB, Host, docker
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.world import World

JOB = Job(image="mine", command=("dig",))
WHOLE = Share(frozenset({0, 1, 2}), frozenset({"GPU-1"}), 4 * MEMORY_LEAST)


class MemoryContainer:
    """A container that is a row."""

    def __init__(self) -> None:
        self.runs_on: Share | None = None
        self.starts = self.removals = 0
        self.broken = False

    def share(self) -> Share | None:
        return self.runs_on

    def start(self, job: Job, share: Share) -> None:
        if self.broken:
            raise EngineRefused("no such image")
        self.runs_on = share
        self.starts += 1

    def remove(self) -> None:
        self.runs_on = None
        self.removals += 1


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


def idle_of(world: World, job: Job | None = JOB) -> tuple[Idle, MemoryContainer]:
    container = MemoryContainer()
    idle = Idle(job, container=container, journal=world.journal, offered=lambda: WHOLE)
    return idle, container


def test_it_runs_on_everything_while_nobody_rents_and_is_not_started_twice(world: World) -> None:
    idle, container = idle_of(world)
    idle.settle()
    idle.settle()
    assert (container.runs_on, container.starts) == (WHOLE, 1)


def test_nothing_starts_while_a_placement_is_about_to(world: World) -> None:
    idle, container = idle_of(world)
    world.want()
    world.sync()
    idle.settle()
    assert container.runs_on is None


def test_it_is_gone_before_a_placement_starts_on_its_cores_and_comes_back_on_the_rest(
    world: World,
) -> None:
    idle, container = idle_of(world)
    idle.settle()
    starts = world.runtime.start

    def start(placement, generation):
        idle.make_way()
        assert container.runs_on is None
        return starts(placement, generation)

    world.runtime.start = start
    placement_id = world.want()
    world.sync()
    world.work()
    (core,) = world.journal.get(placement_id).cores
    assert world.state(placement_id) is ObservedState.RUNNING
    idle.settle()
    assert container.runs_on is not None
    assert container.runs_on.cores == WHOLE.cores - {core}
    world.end(placement_id)
    world.settle()
    idle.settle()
    assert container.runs_on == WHOLE


def test_a_placement_that_leaves_it_all_it_has_does_not_end_it(world: World) -> None:
    idle, container = idle_of(world)
    container.runs_on = Share(frozenset({2}), frozenset(), MEMORY_LEAST)
    world.want()
    world.sync()
    idle.make_way()
    assert container.runs_on is not None


def test_one_of_former_days_is_removed_once(world: World) -> None:
    idle, container = idle_of(world, job=None)
    container.runs_on = WHOLE
    for _ in range(3):
        idle.settle()
        idle.make_way()
    assert (container.runs_on, container.removals) == (None, 1)


def test_it_stays_away_while_somebody_measures(world: World) -> None:
    idle, container = idle_of(world)
    idle.settle()
    idle.leave()
    idle.settle()
    assert container.runs_on is None
    idle.come_back()
    idle.settle()
    assert container.runs_on == WHOLE


def test_an_image_that_is_not_there_harms_nobody(world: World) -> None:
    idle, container = idle_of(world)
    container.broken = True
    idle.settle()
    placement_id = world.want()
    world.sync()
    world.work()
    assert world.state(placement_id) is ObservedState.RUNNING


def test_of_a_shared_card_it_has_all_parts_or_none() -> None:
    parts = frozenset({"GPU-1/0", "GPU-1/1"})
    offered = replace(WHOLE, gpu_uuids=parts | {"GPU-2"})
    left = partial(spare, offered, cores_held=(), placements=())
    assert left(gpus_held=()).gpu_uuids == parts | {"GPU-2"}
    assert left(gpus_held=("GPU-2",)).gpu_uuids == parts
    assert left(gpus_held=("GPU-1/0",)).gpu_uuids == {"GPU-2"}


@pytest.fixture
def digging(image: str, tmp_path: Path) -> Iterator[Host]:
    """A machine whose host has work of his own and keeps some memory."""
    market = LoopbackMarket()
    host = Host(tmp_path, market, image=image, network="10.219.9.0/24")
    host.environment |= {
        "BERTH_AGENT_IDLE_IMAGE": image,
        "BERTH_AGENT_IDLE_COMMAND": "sh -c 'exec sleep 100000'",
        "BERTH_AGENT_KEEP_MEMORY_BYTES": str(1 << 30),
    }
    host.enroll()
    host.start()
    yield host
    if host.process is not None:
        host.stop()
    host.command("uninstall")
    market.close()


def idle_container(host: Host) -> dict[str, object] | None:
    name = f"berth-idle-{host.market.machine_key[:12]}"
    if not docker("ps", "-q", "--filter", f"name={name}"):
        return None
    (found,) = json.loads(docker("inspect", name))
    return found


def wait_for_idle(host: Host) -> dict[str, object]:
    deadline = time.monotonic() + 90
    while (found := idle_container(host)) is None:
        assert time.monotonic() < deadline, (host.home / "agent.log").read_text()[-2000:]
        time.sleep(0.1)
    return found


def test_a_real_machine_digs_until_somebody_rents_it(digging: Host) -> None:
    found = wait_for_idle(digging)
    settings = found["HostConfig"]
    assert settings["CapDrop"] == ["ALL"]
    assert settings["NetworkMode"] == "none"
    assert settings["SecurityOpt"] == ["no-new-privileges:true"]
    hardware = digging.market.enrolled.hardware
    assert settings["Memory"] == hardware.memory_bytes
    since = int(time.time()) - 1
    desired = digging.desire(cpus=hardware.cpus, ram_bytes=64 * MIB)
    digging.market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert idle_container(digging) is None
    told = docker(
        *("events", "--since", str(since), "--until", str(int(time.time()) + 1)),
        *("--filter", "type=container", "--format", "{{.TimeNano}} {{.Action}} {{.ID}}"),
    )
    assert ended(told, str(found["Id"])) < started(told, desired.placement_id)
    assert digging.stop() == 0


def ended(events: str, container_id: str) -> int:
    (at,) = (line.split()[0] for line in events.splitlines() if f"die {container_id}" in line)
    return int(at)


def started(events: str, placement_id: UUID) -> int:
    container_id = docker("inspect", "-f", "{{.Id}}", f"berth-{placement_id}-0")
    (at,) = (line.split()[0] for line in events.splitlines() if f"start {container_id}" in line)
    return int(at)
