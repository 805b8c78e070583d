"""A machine in memory on virtual time: its agent can be killed between any two of its steps."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.acceptance import Acceptance
from miner_agent.agent import Agent
from miner_agent.domain.generation import Generation
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.domain.reply import Heard
from miner_agent.journal import Journal
from miner_agent.ports import Ports
from miner_agent.reserve import ROOM_BYTES_LEAST
from miner_agent.runtime import CannotRun, Collected, Running
from protocol.agent import (
    DesiredPlacement,
    Notice,
    ObservedPlacement,
    ObservedState,
    RegistryLogin,
    SyncReply,
    Want,
)
from protocol.hardware import Resources
from protocol.receipts import SignedInterval
from protocol.signing import openssh_public_key
from protocol.workload import Workload

GPUS = ("gpu-0", "gpu-1")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Killed(BaseException):
    """The process dies here."""


def resources(cpus: int = 1, *, disk_bytes: int = 1, gpus: int = 0) -> Resources:
    """Return the request of most placements here."""
    return Resources.of(cpus=cpus, ram_bytes=1, disk_bytes=disk_bytes, gpus=gpus)


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
        #: by placement and generation
        self.found: dict[tuple[UUID, int], Container] = {}
        #: (placement, disk) -> what the renter keeps there
        self.disks: dict[tuple[UUID, int], str] = {}
        #: the same of everything that was ever written
        self.written: dict[tuple[UUID, int], str] = {}
        self.starts: dict[UUID, int] = {}
        self.born_ms: dict[UUID, int] = {}
        #: how long each placement's containers have really run in all
        self.lived_ms: dict[UUID, int] = {}
        #: with what each placement's container was started last
        self.ran: dict[UUID, Generation] = {}
        #: what was said inside, by turns
        self.notices: list[Notice | None] = []
        self.fault: BaseException | None = None
        self.fault_is_late = False
        #: what each of these calls raises until further notice, and how often it did
        self.broken: dict[str, Exception] = {}
        self.breaks = 0
        #: images that no registry has, and those whose container does not start
        #: with which log-in each image was asked for
        self.logins: list[RegistryLogin | None] = []
        self.unknown_images: set[str] = set()
        self.bad_images: set[str] = set()

    def containers(self) -> Collection[Container]:
        self._break("containers")
        return tuple(self.found.values())

    def find(self, placement_id: UUID, generation: int) -> Container | None:
        return self.found.get((placement_id, generation))

    def traces(self) -> Mapping[UUID, Collection[int]]:
        placement_ids = {placement_id for placement_id, _ in self.disks}
        return {
            one: [disk for placement_id, disk in self.disks if placement_id == one]
            for one in placement_ids
        }

    def fetch(
        self,
        placement: Placement,
        *,
        login: RegistryLogin | None,
        progress: Callable[[str], None],
    ) -> Image:
        self._break("fetch")
        self._fail(late=False)
        name = placement.workload.image
        self.logins.append(login)
        if name in self.unknown_images:
            raise CannotRun("image_unknown", f"The image {name} is not known.")
        return Image(image_id=name, environment={}, entrypoint=(), command=("run",))

    def make(self, placement: Placement, generation: Generation) -> None:
        placement_id = placement.placement_id
        key, disk = (placement_id, generation.number), (placement_id, generation.disk)
        self._fail(late=False)
        has_run = generation == placement.current
        if key not in self.found:
            if (has_run or generation.adopts) and disk not in self.disks:
                raise CannotRun("container_lost", "Its files are gone.")
            self.found[key] = Container(
                placement_id, running=False, token="", generation=generation.number
            )
        if not has_run and not generation.adopts:
            self.disks.setdefault(disk, "")

    def start(self, placement: Placement, generation: Generation) -> Running:
        self._break("start")
        placement_id, number = placement.placement_id, generation.number
        others = [one for one in self.of(placement_id) if one.generation != number]
        assert not [one for one in others if one.running]
        found = self.found[placement_id, number]
        assert (placement_id, generation.disk) in self.disks
        if not found.running:
            self._fail(late=False)
            if generation.image.image_id in self.bad_images:
                raise CannotRun("start_failed", "Docker could not start it.")
            self._is_alone(placement_id, generation)
            self.starts[placement_id] = self.starts.get(placement_id, 0) + 1
            token = f"start-{self.starts[placement_id]}"
            found = Container(placement_id, running=True, token=token, generation=number)
            self.found[placement_id, number] = found
            self.born_ms[placement_id] = self.clock.now_ms
            self.ran[placement_id] = generation
        self._fail(late=True)
        return Running(token=found.token, host_key=openssh_public_key("ab" * 32))

    def halt(self, placement_id: UUID, generation: int) -> None:
        self._fail(late=False)
        self.die(placement_id, exit_code=0)
        self._fail(late=True)

    def rekey(self, placement: Placement) -> None:
        self._fail(late=False)

    def notify(self, placement: Placement) -> None:
        self._fail(late=False)
        self.notices.append(placement.notice)
        self._fail(late=True)

    def collect(self, placement: Placement, *, goes_on: Callable[[], None]) -> Collected:
        self._break("collect")
        self._fail(late=False)
        return Collected(())

    def tidy(self, placement_id: UUID, *, kept: Collection[Generation]) -> None:
        self._fail(late=False)
        numbers, disks = {one.number for one in kept}, {one.disk for one in kept}
        for one in self.of(placement_id):
            if one.generation not in numbers:
                if one.running:
                    self.die(placement_id)
                del self.found[placement_id, one.generation]
        self._fail(late=True)
        for key in list(self.disks):
            if key[0] == placement_id and key[1] not in disks:
                del self.disks[key]

    def remove(self, placement_id: UUID) -> None:
        self._break("remove")
        self._fail(late=False)
        self.die(placement_id)
        for one in self.of(placement_id):
            del self.found[placement_id, one.generation]
        self._fail(late=True)
        for key in list(self.disks):
            if key[0] == placement_id:
                del self.disks[key]

    def trim(self, slots_used: Callable[[], frozenset[int]]) -> None:
        """Networks are not part of this machine."""

    def of(self, placement_id: UUID) -> list[Container]:
        """Return the containers of one placement."""
        return [one for one in self.found.values() if one.placement_id == placement_id]

    def placements(self) -> set[UUID]:
        """Return the placements that have a container."""
        return {placement_id for placement_id, _ in self.found}

    def running(self) -> set[UUID]:
        """Return the placements of which something runs."""
        return {one.placement_id for one in self.found.values() if one.running}

    def write(self, placement_id: UUID, text: str) -> None:
        """Let the renter keep something on the disk."""
        disk = (placement_id, self.ran[placement_id].disk)
        self.disks[disk] = self.written[disk] = text

    def read(self, placement_id: UUID) -> str:
        """Return what the renter finds on the disk."""
        return self.disks[placement_id, self.ran[placement_id].disk]

    def die(self, placement_id: UUID, *, exit_code: int = 137) -> None:
        """End a placement's process; the engine knows how long it lasted."""
        for alive in self.of(placement_id):
            if not alive.running:
                continue
            lasted_ms = self.clock.now_ms - self.born_ms[placement_id]
            self.lived_ms[placement_id] = self.lived_ms.get(placement_id, 0) + lasted_ms
            self.found[placement_id, alive.generation or 0] = replace(
                alive, running=False, exit_code=exit_code, lasted_ms=lasted_ms
            )

    def _is_alone(self, placement_id: UUID, generation: Generation) -> None:
        """Nothing else that runs has the same cores, GPUs, ports or network."""
        for other_id in self.running() - {placement_id}:
            other = self.ran[other_id]
            assert not set(other.cores) & set(generation.cores)
            assert not set(other.gpu_uuids) & set(generation.gpu_uuids)
            assert not set(other.ports.values()) & set(generation.ports.values())
            assert generation.slot is None or other.slot != generation.slot

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
        room_bytes: Callable[[], int] = lambda: ROOM_BYTES_LEAST,
    ) -> None:
        self._room_bytes = room_bytes
        self.ports, self.cores = ports, cores
        self.path, self.clock = path, VirtualClock()
        self.journal_type = journal_type
        self.runtime = MemoryRuntime(self.clock)
        self.desired: dict[UUID, DesiredPlacement] = {}
        self.chains: dict[UUID, list[SignedInterval]] = {}
        self.revision = 0
        #: the GPUs that its driver shows now
        self.gpu_uuids = frozenset(GPUS)
        self.journal = journal_type(path)
        #: told of each placement before its container is removed
        self.keep_last: Callable[[Placement], None] = lambda placement: None
        self.agent = self._agent()

    def restart(self) -> None:
        self.journal.close()
        self.journal = self.journal_type(self.path)
        self.agent = self._agent()

    def want(self, *, cpus: int = 1, **workload: object) -> UUID:
        wanted: dict[str, object] = {"image": "i", "resources": resources(cpus), **workload}
        gpus = wanted["resources"].gpu.count  # type: ignore[attr-defined]
        desired = DesiredPlacement(
            placement_id=uuid4(),
            want=Want.RUN,
            workload=Workload(**wanted),
            gpu_uuids=GPUS[:gpus],
            run_for_ms=3_600_000,
        )
        self.desired[desired.placement_id] = desired
        self.revision += 1
        return desired.placement_id

    def ask(self, placement_id: UUID, **changes: object) -> DesiredPlacement:
        """Desire something else of a placement."""
        changed = self.desired[placement_id].model_copy(update=changes)
        self.desired[placement_id] = changed
        self.revision += 1
        return changed

    def alter(self, placement_id: UUID, **changes: object) -> None:
        """Desire another workload."""
        desired = self.desired[placement_id]
        workload = desired.workload.model_copy(update=changes)
        self.ask(placement_id, workload=workload, edition=desired.edition + 1)

    def stop(self, placement_id: UUID) -> None:
        self.ask(placement_id, want=Want.STOP)

    def run(self, placement_id: UUID) -> None:
        self.ask(placement_id, want=Want.RUN)

    def restart_placement(self, placement_id: UUID) -> None:
        self.ask(placement_id, restarts=self.desired[placement_id].restarts + 1)

    def reset(self, placement_id: UUID) -> None:
        self.ask(placement_id, resets=self.desired[placement_id].resets + 1)

    def end(self, placement_id: UUID) -> None:
        self.ask(placement_id, want=Want.END, run_for_ms=None)

    def sync(self) -> None:
        request = self.agent.request(hold_s=0)
        for signed in request.intervals:
            chain = self.chains.setdefault(signed.interval.placement_id, [])
            if signed.interval.sequence < len(chain):
                assert chain[signed.interval.sequence] == signed
                continue
            chain.append(signed)
        self.agent.apply(Heard(self.reply()))

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

    def seen(self, placement_id: UUID) -> ObservedPlacement:
        """Return what the marketplace is told of a placement."""
        told = self.agent.request().placements
        return next(one for one in told if one.placement_id == placement_id)

    def state(self, placement_id: UUID) -> ObservedState:
        return self.journal.get(placement_id).state

    def _agent(self) -> Agent:
        acceptance = Acceptance(
            ports=Ports(first=1000, last=999 + self.ports, clock=self.clock),
            network=IPv4Network("10.0.0.0/24"),
            cores=tuple(range(self.cores)),
            memory_bytes=100,
            disk_bytes=100,
            gpu_uuids=lambda: self.gpu_uuids,
        )
        return Agent(
            journal=self.journal,
            runtime=self.runtime,
            clock=self.clock,
            key=KEY,
            acceptance=acceptance,
            room_bytes=self._room_bytes,
            keep_last=lambda placement: self.keep_last(placement),
        )
