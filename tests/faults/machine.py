"""This will run the real agent on a machine that can lose power, its clock and its network."""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.acceptance import Acceptance
from miner_agent.agent import Agent
from miner_agent.domain.backoff import delay_ms
from miner_agent.domain.placement import fingerprint
from miner_agent.domain.reconcile import Action
from miner_agent.domain.reply import Heard
from miner_agent.engine import EngineUnavailable
from miner_agent.hearing import StaleReply
from miner_agent.journal import Journal
from miner_agent.ports import Ports
from protocol import paths
from protocol.agent import EnrolRequest, SyncReply, Want
from protocol.hardware import Gpu, Hardware
from protocol.signing import public_key_of, request_bytes, sign
from tests.faults.engine import Engine, Killed
from tests.faults.market import HOLD_MS, Market, Refusal
from tests.faults.network import Network
from tests.faults.world import BEGIN_MS, InvariantBroken, World

#: how often a machine is looked at when nothing calls for it
LOOK_MS = 60_000
#: changes within this time travel together
GATHER_MS = 20
#: the agent gives a call up after this
TIMEOUT_MS = HOLD_MS + 10_000
KILLED_AT_WRITE = 0.0005
WRITES = ("change", "insert", "close_intervals", "release", "forget", "remember", "confirm")


class FragileJournal(Journal):
    """The real journal, whose process may be killed just before or just after any write."""

    world: World

    def __getattribute__(self, name: str) -> object:
        method = super().__getattribute__(name)
        if name not in WRITES:
            return method

        def write(*arguments: object, **named: object) -> object:
            if self.world.likely(KILLED_AT_WRITE):
                raise Killed
            result = method(*arguments, **named)
            if self.world.likely(KILLED_AT_WRITE):
                raise Killed
            return result

        return write


class Machine:
    """A host's server: its clocks, its Docker, its agent's lives one after the other."""

    def __init__(
        self, world: World, market: Market, network: Network, name: str, *, gpus: int, cpus: int
    ) -> None:
        self.world, self.market, self.network, self.name = world, market, network, name
        self.key = Ed25519PrivateKey.from_private_bytes(world.random_bytes(32))
        self.machine_key = public_key_of(self.key)
        self.machine_id: UUID | None = None
        self.boots = 0
        self.booted_ms = 0
        #: what the wall clock is wrong by
        self.wall_off_ms = 0
        self.engine = Engine(world, wall_ms=self.wall_ms, on_start=self._may_start)
        self.journal = FragileJournal(":memory:")
        self.journal.world = world
        self.agent: Agent | None = None
        self.silent = False
        #: when anything last kept this machine from its marketplace or its work
        self.disturbed_ms = 0
        self._gpus, self._cpus = gpus, cpus
        self._life = 0
        #: the time that the agent signed last
        self._sent_at_ms = 0
        self._call = 0
        self._waiting: int | None = None
        self._told = ("", 0)
        self._failures = 0
        self._gathering = False
        self._busy: set[tuple[UUID, bool]] = set()
        self._looks = 0

    def boot_ms(self) -> int:
        """Return milliseconds since boot."""
        return self.world.now_ms - self.booted_ms

    def wall_ms(self) -> int:
        """Return the wall clock, which may be wrong."""
        return BEGIN_MS + self.world.now_ms + self.wall_off_ms

    def boot_id(self) -> str:
        """Return what changes with every boot."""
        return f"{self.name}-boot-{self.boots}"

    def hardware(self) -> Hardware:
        """Return what the machine has."""
        return Hardware(
            hostname=self.name,
            os="linux",
            kernel="6.1",
            boot_id=self.boot_id(),
            cpu_model="Simulated",
            cpus=self._cpus,
            memory_bytes=self._cpus << 32,
            disk_bytes=self._cpus << 36,
            docker_version="27",
            storage_driver="overlay2",
            gpus=tuple(
                Gpu(uuid=f"{self.name}-gpu-{i}", model="H100", vram_bytes=80 << 30, driver="570")
                for i in range(self._gpus)
            ),
        )

    def enrolment(self, token: str) -> EnrolRequest:
        """Return what the agent sends to become its host's."""
        return EnrolRequest(
            token=token,
            machine_key=self.machine_key,
            agent_version="0.1.0",
            address=f"{self.name}.example",
            control_port=2200,
            port_first=40_000,
            port_last=40_019,
            hardware=self.hardware(),
        )

    def start_agent(self) -> None:
        """Begin a new life of the agent, on the journal and the Docker of the one before."""
        if self.agent is not None:
            return
        self._life += 1
        self._busy, self._failures, self._waiting, self._gathering = set(), 0, None, False
        gpus = frozenset(gpu.uuid for gpu in self.hardware().gpus)
        self.agent = Agent(
            journal=self.journal,
            runtime=self.engine,
            clock=self,
            key=self.key,
            acceptance=Acceptance(
                ports=Ports(first=40_000, last=40_019, clock=self),
                network=IPv4Network("10.90.0.0/24"),
                cores=tuple(range(self._cpus)),
                memory_bytes=self.hardware().memory_bytes,
                disk_bytes=self.hardware().disk_bytes,
                gpu_uuids=lambda: gpus,
            ),
            changed=self._changed,
        )
        self.disturbed_ms = self.world.now_ms
        self._sync(hold_s=0)
        self._look()

    def kill_agent(self) -> None:
        """End the agent's process; Docker goes on."""
        if self.agent is None:
            return
        self.world.note("agent killed", self.name)
        self.agent, self._waiting, self._sent_at_ms = None, None, 0
        self._life += 1
        self.disturbed_ms = self.world.now_ms
        pause_ms = self.world.chance.uniform(1000, 60_000)
        life = self._life
        self.world.after(pause_ms, "agent restarts", lambda: self._restart(life))

    def restart_host(self) -> None:
        """Take the power away and give it back."""
        self.kill_agent()
        self.engine.stop_all()
        self.boots += 1
        self.booted_ms = self.world.now_ms

    def restart_engine(self, *, down_ms: float) -> None:
        """Let Docker end with everything in it, and come back empty-handed."""
        self.engine.stop_all()
        self.engine.answers = False
        self.world.after(down_ms, "engine answers", self._engine_answers)

    def is_connected(self) -> bool:
        """Say whether nothing keeps the machine from its marketplace and its work now."""
        up = self.agent is not None and self.engine.answers and not self.silent
        return up and self.market.up and self._failures == 0

    def _restart(self, life: int) -> None:
        if life == self._life:
            self.start_agent()

    def _engine_answers(self) -> None:
        self.engine.answers = True
        self.disturbed_ms = self.world.now_ms

    def _may_start(self, placement_id: UUID) -> None:
        placement = self.journal.find(placement_id)
        if placement is None or placement.want is not Want.RUN:
            raise InvariantBroken(f"{placement_id} starts though the machine knows of its end")
        self.market.may_start(placement_id)

    def _alive(self, name: str, delay_ms: float, act: Callable[[], None]) -> None:
        """Let something happen later if this very process still lives by then."""
        life = self._life

        def guarded() -> None:
            if life == self._life and self.agent is not None:
                try:
                    act()
                except Killed:
                    self.kill_agent()

        self.world.after(delay_ms, name, guarded)

    def _look(self, *, after_ms: int = 0) -> None:
        self._looks += 1
        look = self._looks
        self._alive("look", after_ms, lambda: self._work() if look == self._looks else None)

    def _work(self) -> None:
        self._look(after_ms=LOOK_MS)
        agent = self._agent()
        try:
            for action in agent.plan():
                lane = (action.placement_id, action.beside)
                if lane not in self._busy:
                    self._busy.add(lane)
                    delay = self.world.chance.uniform(50, 3000)
                    self._alive("action", delay, partial(self._perform, action))
            agent.count()
        except EngineUnavailable:
            self.world.note("engine silent", self.name)

    def _perform(self, action: Action) -> None:
        self._agent().perform(action)
        self._busy.discard((action.placement_id, action.beside))
        self._look()

    def _changed(self) -> None:
        if not self._gathering:
            self._gathering = True
            self._alive("gather", GATHER_MS, self._resync)

    def _resync(self) -> None:
        self._gathering = False
        request = self._agent().request()
        told = (fingerprint(request.placements), len(request.intervals))
        if told != self._told and self._waiting is not None:
            self._sync(hold_s=25)

    def _sync(self, *, hold_s: int) -> None:
        self._call += 1
        call = self._waiting = self._call
        first = hold_s == 0
        request = self._agent().request(hold_s=hold_s, hardware=self.hardware() if first else None)
        self._told = (fingerprint(request.placements), len(request.intervals))
        body = request.model_dump_json().encode()
        sent_at_ms = self._sent_at_ms = max(self.wall_ms(), self._sent_at_ms + 1)
        content = request_bytes(
            method="POST",
            path=paths.AGENT_SYNC,
            sender=self.machine_key,
            sent_at_ms=sent_at_ms,
            body=body,
        )
        headers = {
            paths.HEADER_MACHINE: self.machine_key,
            paths.HEADER_SENT_AT: str(sent_at_ms),
            paths.HEADER_SIGNATURE: sign(self.key, content),
        }
        life = self._life

        def answer(reply: SyncReply | Refusal) -> None:
            def hear() -> None:
                if life == self._life and self.agent is not None:
                    self._hear(call, reply)

            self.network.carry(self, "reply", hear)

        self.network.carry(self, "sync", lambda: self.market.receive(headers, body, call, answer))
        self._alive("timeout", TIMEOUT_MS, lambda: self._give_up(call))

    def _hear(self, call: int, reply: SyncReply | Refusal) -> None:
        if isinstance(reply, Refusal):
            self.world.note("sync refused", reply.code)
            self._give_up(call)
            return
        try:
            # A late or doubled reply is applied too: the agent itself must refuse old ones.
            self._agent().apply(Heard(reply))
            self._work()
        except StaleReply:
            self.world.note("stale reply", self.name)
            return
        except Killed:
            self.kill_agent()
            return
        if call == self._waiting:
            self._failures = 0
            self._sync(hold_s=25)

    def _give_up(self, call: int) -> None:
        if call != self._waiting:
            return
        self._waiting = None
        self._failures += 1
        self.disturbed_ms = self.world.now_ms
        pause_ms = delay_ms(failures=self._failures)
        self._alive("retry", pause_ms, lambda: self._sync(hold_s=0))

    def _agent(self) -> Agent:
        if self.agent is None:
            raise InvariantBroken(f"{self.name} acts without an agent")
        return self.agent
