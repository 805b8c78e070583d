"""The agent's steps on virtual time, over a machine in memory, killed between any two of them."""

import tempfile
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from miner_agent.acceptance import Acceptance
from miner_agent.agent import Agent, StaleReply
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.engine import EngineUnavailable
from miner_agent.journal import CORE, PORT, ClaimTaken, Journal
from miner_agent.runtime import Running
from protocol.agent import DesiredPlacement, ObservedState, SyncReply, Want, Workload
from protocol.hardware import Resources
from protocol.receipts import SignedInterval, check_chain

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Killed(BaseException):
    """The process dies here."""


class VirtualClock:
    def __init__(self) -> None:
        self.now_ms, self.boot = 1_000_000, "boot-1"

    def boot_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms + 1_700_000_000_000

    def boot_id(self) -> str:
        return self.boot


class MemoryRuntime:
    """A machine whose containers are rows; it can die before or after each of its calls."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.found: dict[UUID, Container] = {}
        self.disks: set[UUID] = set()
        self.starts: dict[UUID, int] = {}
        self.born_ms: dict[UUID, int] = {}
        #: how long each placement's containers have really run in all
        self.lived_ms: dict[UUID, int] = {}
        self.fault: BaseException | None = None
        self.fault_is_late = False

    def containers(self) -> Mapping[UUID, Container]:
        return dict(self.found)

    def find(self, placement_id: UUID) -> Container | None:
        return self.found.get(placement_id)

    def traces(self) -> frozenset[UUID]:
        return frozenset(self.disks)

    def bring_up(self, placement: Placement, *, progress: Callable[[str], None]) -> Running:
        placement_id = placement.placement_id
        self.disks.add(placement_id)
        self._fail(late=False)
        found = self.found.get(placement_id)
        if found is None or not found.running:
            self.starts[placement_id] = self.starts.get(placement_id, 0) + 1
            token = f"start-{self.starts[placement_id]}"
            self.found[placement_id] = Container(placement_id, running=True, token=token)
            self.born_ms[placement_id] = self.clock.now_ms
        self._fail(late=True)
        return Running(token=self.found[placement_id].token, host_key="ssh-ed25519 AAAA")

    def rekey(self, placement: Placement) -> None:
        self._fail(late=False)

    def remove(self, placement_id: UUID) -> None:
        self._fail(late=False)
        self.die(placement_id)
        self.found.pop(placement_id, None)
        self._fail(late=True)
        self.disks.discard(placement_id)

    def trim(self, slots_used: frozenset[int]) -> None:
        """Networks are not part of this machine."""

    def die(self, placement_id: UUID) -> None:
        """End a container's process; the engine knows how long it lasted."""
        alive = self.found.get(placement_id)
        if alive is None or not alive.running:
            return
        lasted_ms = self.clock.now_ms - self.born_ms[placement_id]
        self.lived_ms[placement_id] = self.lived_ms.get(placement_id, 0) + lasted_ms
        self.found[placement_id] = Container(
            placement_id, running=False, token=alive.token, exit_code=137, lasted_ms=lasted_ms
        )

    def _fail(self, *, late: bool) -> None:
        if self.fault is not None and self.fault_is_late is late:
            fault, self.fault = self.fault, None
            raise fault


class World:
    """One machine and what the marketplace has of it."""

    def __init__(self, path: Path, *, journal_type: type[Journal] = Journal) -> None:
        self.path, self.clock = path, VirtualClock()
        self.journal_type = journal_type
        self.runtime = MemoryRuntime(self.clock)
        self.desired: dict[UUID, DesiredPlacement] = {}
        self.chains: dict[UUID, list[SignedInterval]] = {}
        self.revision = 0
        self.journal = journal_type(path)
        self.agent = self._agent()

    def restart(self) -> None:
        self.journal.close()
        self.journal = self.journal_type(self.path)
        self.agent = self._agent()

    def want(self, *, cpus: int = 1) -> UUID:
        workload = Workload(image="i", resources=Resources.of(cpus=cpus, ram_bytes=1, disk_bytes=1))
        desired = DesiredPlacement(
            placement_id=uuid4(), want=Want.RUN, workload=workload, run_for_ms=3_600_000
        )
        self.desired[desired.placement_id] = desired
        self.revision += 1
        return desired.placement_id

    def end(self, placement_id: UUID) -> None:
        self.desired[placement_id] = self.desired[placement_id].model_copy(
            update={"want": Want.END, "run_for_ms": None}
        )
        self.revision += 1

    def sync(self) -> None:
        request = self.agent.request(hold_s=0)
        for signed in request.intervals:
            chain = self.chains.setdefault(signed.interval.placement_id, [])
            if signed.interval.sequence < len(chain):
                assert chain[signed.interval.sequence] == signed
                continue
            chain.append(signed)
        desired = tuple(
            one.model_copy(update={"next_sequence": len(self.chains.get(one.placement_id, ()))})
            for one in self.desired.values()
        )
        self.agent.apply(
            SyncReply(
                nonce=f"n{self.clock.now_ms}",
                server_time_ms=0,
                revision=self.revision,
                desired=desired,
            )
        )

    def work(self) -> None:
        for action in self.agent.plan():
            self.agent.perform(action)
        self.agent.count()

    def settle(self) -> None:
        for _ in range(12):
            self.clock.now_ms += 31_000
            self.sync()
            self.work()
        self.sync()

    def state(self, placement_id: UUID) -> ObservedState:
        return self.journal.get(placement_id).state

    def _agent(self) -> Agent:
        acceptance = Acceptance(
            port_first=1000,
            port_last=1003,
            network=IPv4Network("10.0.0.0/27"),
            cores=(0, 1, 2),
            memory_bytes=100,
            disk_bytes=100,
        )
        return Agent(
            journal=self.journal,
            runtime=self.runtime,
            clock=self.clock,
            key=KEY,
            acceptance=acceptance,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


STEPS = ["want", "end", "sync", "work", "wait", "kill", "die", "late_kill", "engine", "reboot"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40))
def test_whatever_happens_it_converges_and_every_chain_is_whole(
    steps: list[tuple[str, int]],
) -> None:
    # In memory: the journal flushes every step to disk, and here only its order matters.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        world = World(Path(directory) / "journal")
        # Something runs from the beginning: most disturbances need a victim.
        for step, number in [("want", 0), ("sync", 0), ("work", 0), ("wait", 1), *steps]:
            try:
                disturb(world, step, number)
            except Killed:
                world.restart()
        world.runtime.fault = None
        world.settle()
        check_rest(world)
        for placement_id in list(world.desired):
            world.end(placement_id)
        world.settle()
        assert world.runtime.found == {}
        assert world.runtime.disks == set()
        assert world.journal.claimed(PORT) == world.journal.claimed(CORE) == frozenset()
        for placement_id, chain in world.chains.items():
            assert check_chain(chain) <= world.runtime.lived_ms[placement_id]
        world.desired.clear()
        world.sync()
        assert world.journal.placements() == {}
        assert world.journal.unsent(most=10) == ()
        world.journal.close()


def disturb(world: World, step: str, number: int) -> None:
    live = [one.placement_id for one in world.desired.values() if one.want is Want.RUN]
    if step == "want" and len(live) < 3:
        world.want()
    elif step == "end" and live:
        world.end(live[number % len(live)])
    elif step == "sync":
        world.sync()
    elif step == "work":
        world.work()
    elif step == "wait":
        world.clock.now_ms += (100, 5_000, 20_000, 700_000)[number]
    elif step == "kill":
        world.restart()
    elif step in ("late_kill", "engine"):
        world.runtime.fault_is_late = step == "late_kill" or number > 1
        world.runtime.fault = Killed() if step == "late_kill" else EngineUnavailable("no answer")
    elif step == "die" and world.runtime.found:
        world.runtime.die(sorted(world.runtime.found)[number % len(world.runtime.found)])
    elif step == "reboot":
        for one in world.runtime.found:
            world.runtime.die(one)
        world.clock.boot, world.clock.now_ms = f"{world.clock.boot}+", world.clock.now_ms + 60_000
        raise Killed


def check_rest(world: World) -> None:
    """Every wanted placement runs, or ended here for a reason; nothing else is on the machine."""
    running = set()
    for desired in world.desired.values():
        row = world.journal.get(desired.placement_id)
        if desired.want is Want.RUN and row.problem is None:
            assert row.state is ObservedState.RUNNING
            running.add(desired.placement_id)
        else:
            assert row.state is ObservedState.GONE
    assert set(world.runtime.found) == world.runtime.disks == running


def test_a_reply_older_than_the_newest_is_refused(world: World) -> None:
    placement_id = world.want()
    world.sync()
    old = SyncReply(nonce="old", server_time_ms=0, revision=0)
    with pytest.raises(StaleReply):
        world.agent.apply(old)
    assert world.journal.get(placement_id).want is Want.RUN


def test_what_ended_here_never_starts_again_though_the_market_still_wants_it(
    world: World,
) -> None:
    placement_id = world.want()
    world.sync()
    world.work()
    world.clock.now_ms += 3_600_001
    world.work()
    world.work()
    assert world.state(placement_id) is ObservedState.GONE
    world.settle()
    assert world.state(placement_id) is ObservedState.GONE
    assert world.runtime.starts[placement_id] == 1


def test_a_dead_container_is_counted_to_its_last_moment_and_not_beyond(world: World) -> None:
    placement_id = world.want()
    world.sync()
    world.work()
    world.clock.now_ms += 15_000
    world.work()
    world.clock.now_ms += 4_000
    world.runtime.die(placement_id)
    world.clock.now_ms += 50_000
    world.work()
    world.sync()
    assert check_chain(world.chains[placement_id]) == 19_000


def test_after_a_reboot_only_what_was_counted_before_is_sure(world: World) -> None:
    placement_id = world.want()
    world.sync()
    world.work()
    world.clock.now_ms += 15_000
    world.work()
    world.clock.now_ms += 4_000
    world.runtime.die(placement_id)
    world.clock.boot = "boot-2"
    world.restart()
    world.work()
    world.sync()
    assert check_chain(world.chains[placement_id]) == 15_000
    assert world.state(placement_id) is ObservedState.RUNNING


def test_a_container_that_dies_again_and_again_is_given_up(world: World) -> None:
    placement_id = world.want()
    world.settle()
    for _ in range(8):
        for one in world.runtime.found:
            world.runtime.die(one)
        world.settle()
    row = world.journal.get(placement_id)
    assert row.state is ObservedState.GONE
    assert row.problem is not None
    assert row.problem.code == "start_failed"


def test_the_machine_never_promises_a_core_twice(world: World) -> None:
    first, second = world.want(cpus=2), world.want(cpus=2)
    world.settle()
    assert world.state(first) is ObservedState.RUNNING
    row = world.journal.get(second)
    assert row.state is ObservedState.GONE
    assert row.problem is not None
    assert row.problem.code == "no_capacity"


def test_a_claim_belongs_to_one_placement(world: World) -> None:
    placement_id = world.want()
    world.sync()
    row = world.journal.get(placement_id)
    other = row.model_copy(update={"placement_id": uuid4()})
    with pytest.raises(ClaimTaken):
        world.journal.insert(other, {PORT: (row.port,)})
    assert world.journal.find(other.placement_id) is None


def test_a_lost_journal_is_admitted(world: World) -> None:
    placement_id = world.want()
    world.settle()
    world.journal.close()
    for file in world.path.parent.glob("journal*"):
        file.unlink()
    world.restart()
    world.settle()
    row = world.journal.get(placement_id)
    assert row.problem is not None
    assert "lost its journal" in row.problem.message
    assert world.runtime.found == {}
