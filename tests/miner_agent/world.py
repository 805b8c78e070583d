"""A machine in memory on virtual time: its agent can be killed between any two of its steps."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.acceptance import Acceptance
from miner_agent.agent import Agent
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.journal import Journal
from miner_agent.runtime import Running
from protocol.agent import DesiredPlacement, ObservedState, SyncReply, Want
from protocol.hardware import Resources
from protocol.receipts import SignedInterval
from protocol.signing import openssh_public_key
from protocol.workload import Workload

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
        #: what each of these calls raises until further notice, and how often it did
        self.broken: dict[str, Exception] = {}
        self.breaks = 0

    def containers(self) -> Mapping[UUID, Container]:
        self._break("containers")
        return dict(self.found)

    def find(self, placement_id: UUID) -> Container | None:
        return self.found.get(placement_id)

    def traces(self) -> frozenset[UUID]:
        return frozenset(self.disks)

    def bring_up(self, placement: Placement, *, progress: Callable[[str], None]) -> Running:
        self._break("bring_up")
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
        return Running(token=self.found[placement_id].token, host_key=openssh_public_key("ab" * 32))

    def rekey(self, placement: Placement) -> None:
        self._fail(late=False)

    def remove(self, placement_id: UUID) -> None:
        self._break("remove")
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

    def _break(self, call: str) -> None:
        if call in self.broken:
            self.breaks += 1
            raise self.broken[call]

    def _fail(self, *, late: bool) -> None:
        if self.fault is not None and self.fault_is_late is late:
            fault, self.fault = self.fault, None
            raise fault


class World:
    """One machine and what the marketplace has of it."""

    def __init__(
        self,
        path: Path,
        *,
        journal_type: type[Journal] = Journal,
        ports: int = 4,
        cores: int = 3,
    ) -> None:
        self.ports, self.cores = ports, cores
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
        self.agent.apply(self.reply())

    def reply(self) -> SyncReply:
        desired = tuple(
            one.model_copy(update={"next_sequence": len(self.chains.get(one.placement_id, ()))})
            for one in self.desired.values()
        )
        return SyncReply(
            nonce=f"n{self.clock.now_ms}",
            server_time_ms=0,
            revision=self.revision,
            desired=desired,
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
            port_last=999 + self.ports,
            network=IPv4Network("10.0.0.0/24"),
            cores=tuple(range(self.cores)),
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
