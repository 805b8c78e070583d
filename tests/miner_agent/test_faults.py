"""Kills at random instants, an engine and a power that go, a full disk, clocks that jump.

On a real engine, and after each: nothing is left, nothing runs twice, no file of a renter is lost,
and every chain counts what ran, once. ``BERTH_TEST_SEED`` plays other instants.
"""

import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from protocol.agent import DesiredPlacement, ObservedPlacement, ObservedState, Want
from protocol.workload import DesiredVolume, PlacementKind, VolumeMount, VolumeState
from tests.miner_agent.faulty import SLACK_MS, Faulty, faulty
from tests.miner_agent.host import MIB

KILLS, SEED = 25, int(os.environ.get("BERTH_TEST_SEED", "1"))
#: how often an agent lives until it is heard, and how long from then on at most, in seconds
WORKS, LONGEST_S = 0.8, 0.3
HOUR_MS = 3_600_000
SMALL = 24 * MIB
#: what OpenSSH says of a door that nobody answers at, and how long a door may take to open
UNREACHED, DOOR_S = 255, 20
#: within which a look and an interval of it are in the journal
COUNTED_S = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with faulty(tmp_path_factory.mktemp("clock")) as machine:
        yield machine


@pytest.fixture
def machine(made: Faulty) -> Iterator[Faulty]:
    """The machine with an agent and nothing else, before the test and after it."""
    if not made.life:
        made.begin()
    made.wait_for_sync()
    rules = made.rules()
    yield made
    assert made.market.failures == []
    assert made.left() == []
    assert made.rules() == rules


def hold(machine: Faulty, *volumes: DesiredVolume) -> tuple[DesiredPlacement, ObservedPlacement]:
    """Return a rental that runs and has a file, and another one in its volume."""
    mounts = [VolumeMount(volume_id=one.volume_id, path="/data") for one in volumes]
    asked = machine.host.desire(disk_bytes=SMALL, volumes=tuple(mounts), run_for_ms=4 * HOUR_MS)
    seen = machine.market.wait_for(asked.placement_id, ObservedState.RUNNING)
    assert (
        machine.host.ssh(seen, "mkdir -p /data; echo mine | tee /file > /data/file").returncode == 0
    )
    return asked, seen


def keep_volume(machine: Faulty) -> DesiredVolume:
    volume = DesiredVolume(volume_id=uuid4(), size_bytes=SMALL)
    machine.market.keep(volume)
    machine.market.wait_for_volume(volume.volume_id, VolumeState.READY)
    return volume


def files_of(machine: Faulty, placement_id: UUID, first: str = "true") -> str:
    """Return both files; on a busy machine a door may open after its container has started."""
    seen, deadline = machine.market.observed[placement_id], time.monotonic() + DOOR_S
    while True:
        done = machine.host.ssh(seen, f"{first}; cat /file /data/file")
        if done.returncode != UNREACHED or time.monotonic() > deadline:
            return done.stdout + done.stderr


def runs_as(machine: Faulty, placement_id: UUID, run: int) -> bool:
    seen = machine.market.observed[placement_id]
    return (seen.state, seen.run) == (ObservedState.RUNNING, run)


def settle(machine: Faulty, *placements: UUID) -> None:
    """End them, wait until they are gone, then let go of every volume."""
    market = machine.market
    for placement_id in placements:
        market.end(placement_id)
    for placement_id in placements:
        market.wait_for(placement_id, ObservedState.GONE)
        market.drop(placement_id)
    for volume in list(market.volumes.values()):
        market.keep(volume.model_copy(update={"remove": True}))
        market.wait_for_volume(volume.volume_id, VolumeState.GONE)
    market.volumes.clear()
    machine.wait_for_sync()
    market.wait_until(lambda: not market.observed_volumes)


class Crowd:
    """Renters who come and go, one at a time, and a volume that comes and goes beside them."""

    def __init__(self, machine: Faulty, chance: random.Random) -> None:
        self.host, self.market, self.chance = machine.host, machine.market, chance
        self.asked: dict[UUID, DesiredPlacement] = {}
        self.volume: DesiredVolume | None = None

    def wish(self) -> None:
        """Let somebody ask for something."""
        live = [one for one in self.asked if self.market.desired[one].want is not Want.END]
        what = self.chance.choice(("wait", "wait", "go", "go and come", "stop", "volume"))
        if what == "volume":
            self._volume()
        elif what == "stop":
            for one in live:
                self._stop_or_run(self.market.desired[one])
        elif what != "wait":
            for one in live:
                self.market.end(one)
        if what == "go and come" or not live:
            self._come()

    def _stop_or_run(self, one: DesiredPlacement) -> None:
        if one.workload.kind is PlacementKind.RENTAL:
            want = Want.RUN if one.want is Want.STOP else Want.STOP
            self.market.want(one.model_copy(update={"want": want}))

    def _come(self) -> None:
        changes: dict[str, object] = {"disk_bytes": SMALL}
        if self.chance.random() < 0.5:
            changes |= {"kind": PlacementKind.JOB, "command": ("sleep", "0.3")}
            changes |= {"outputs_bytes_max": MIB}
        asked = self.host.desire(**changes)
        self.asked[asked.placement_id] = asked

    def _volume(self) -> None:
        if self.volume is None:
            self.volume = DesiredVolume(volume_id=uuid4(), size_bytes=SMALL)
        else:
            self.volume = self.volume.model_copy(update={"remove": True})
        self.market.keep(self.volume)
        if self.volume.remove:
            self.volume = None


@pytest.mark.parametrize("seed", [SEED])
def test_kills_at_random_instants_lose_nothing_and_leave_nothing(
    machine: Faulty, seed: int
) -> None:
    chance, since, market = random.Random(seed), datetime.now(tz=UTC), machine.market
    quiet, before = hold(machine, keep_volume(machine))
    container = machine.engine.ask("ps", "-q", "--no-trunc").stdout
    crowd = Crowd(machine, chance)
    for _ in range(KILLS):
        if chance.random() < WORKS:
            machine.wait_for_sync()
        # An instant that no event announces: only time can choose it.
        time.sleep(chance.uniform(0, LONGEST_S))
        crowd.wish()
        time.sleep(chance.uniform(0, LONGEST_S))
        machine.end()
        machine.begin()
    for placement_id in crowd.asked:
        market.end(placement_id)
    for placement_id in crowd.asked:
        market.wait_for(placement_id, ObservedState.GONE)
        market.drop(placement_id)
    assert runs_as(machine, quiet.placement_id, 0)
    assert machine.engine.ask("ps", "-q", "--no-trunc").stdout == container
    assert market.observed[quiet.placement_id].ssh_port == before.ssh_port
    assert files_of(machine, quiet.placement_id) == "mine\nmine\n"
    settle(machine, quiet.placement_id)
    lived = machine.lived_ms(since)
    # Few of the crowd come to run before a kill where the machine is busy.
    assert len(lived) > 1
    for placement_id, lived_ms in lived.items():
        runs = {signed.interval.run for signed in market.chains.get(placement_id, [])}
        assert machine.counted_ms(placement_id) <= lived_ms + SLACK_MS * max(1, len(runs))
    assert machine.counted_ms(quiet.placement_id) > lived[quiet.placement_id] - SLACK_MS


def test_an_engine_and_a_power_that_go_cost_no_file_and_no_second(machine: Faulty) -> None:
    market, engine = machine.market, machine.engine
    rental, _ = hold(machine, keep_volume(machine))
    container = engine.ask("ps", "-q", "--no-trunc").stdout

    def lose_engine(*options: str) -> None:
        engine.kill()
        market.wait_until(lambda: market.problem is not None)
        engine.options = options
        engine.start()

    mapped = tuple(one for one in engine.options if one != "--live-restore")
    lose_engine(*engine.options)
    market.wait_until(lambda: market.problem is None)
    assert runs_as(machine, rental.placement_id, 0)
    assert engine.ask("ps", "-q", "--no-trunc").stdout == container
    assert files_of(machine, rental.placement_id) == "mine\nmine\n"

    # Without live restore it ends what it finds.
    lose_engine(*mapped)
    market.wait_until(lambda: runs_as(machine, rental.placement_id, 1))
    assert files_of(machine, rental.placement_id) == "mine\nmine\n"

    machine.host.ssh(market.observed[rental.placement_id], "sync")
    machine.reboot()
    market.wait_until(lambda: runs_as(machine, rental.placement_id, 2))
    assert files_of(machine, rental.placement_id) == "mine\nmine\n"
    settle(machine, rental.placement_id)
    chain = market.chains[rental.placement_id]
    assert {signed.interval.run for signed in chain} <= {0, 1, 2}
    assert machine.counted_ms(rental.placement_id) > 0


def test_an_hour_alone_is_counted_and_a_wall_clock_that_jumps_ends_nothing(
    machine: Faulty,
) -> None:
    market = machine.market
    rental, before = hold(machine)
    market.silent = True
    try:
        machine.move("boot_ms", HOUR_MS)
        machine.move("wall_ms", HOUR_MS)
        # Counted by itself, and nobody can be told of it.
        deadline = time.monotonic() + COUNTED_S
        while machine.kept_ms(rental.placement_id) < HOUR_MS:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        market.silent = False
    for by_ms in (30 * HOUR_MS, -60 * HOUR_MS, 30 * HOUR_MS):
        machine.wait_for_sync()
        machine.move("wall_ms", by_ms)
    machine.wait_for_sync()
    seen = market.observed[rental.placement_id]
    assert (seen.state, seen.run, seen.ssh_port) == (ObservedState.RUNNING, 0, before.ssh_port)
    assert seen.age_ms is not None
    assert HOUR_MS < seen.age_ms < HOUR_MS + 60_000
    settle(machine, rental.placement_id)
    assert HOUR_MS < machine.counted_ms(rental.placement_id) < HOUR_MS + 60_000


def test_a_full_disk_is_told_and_loses_nothing(machine: Faulty) -> None:
    market = machine.market
    rental, _ = hold(machine)

    def is_told() -> bool:
        return market.problem is not None and market.problem.code == "disk_full"

    machine.fill()
    market.wait_until(is_told)
    # What is the renter's own was reserved.
    seen = market.observed[rental.placement_id]
    written = "dd if=/dev/zero of=/more bs=1M count=4 && sync"
    assert machine.host.ssh(seen, written).returncode == 0
    # Killed meanwhile, it says so again.
    machine.end()
    market.problem = None
    machine.begin()
    market.wait_until(is_told)
    machine.make_room()
    market.wait_until(lambda: market.problem is None)
    second = machine.host.desire(disk_bytes=SMALL)
    market.wait_for(second.placement_id, ObservedState.RUNNING)
    assert runs_as(machine, rental.placement_id, 0)
    assert files_of(machine, rental.placement_id) == "mine\nmine\n"
    settle(machine, rental.placement_id, second.placement_id)
    assert machine.counted_ms(rental.placement_id) > machine.counted_ms(second.placement_id)
