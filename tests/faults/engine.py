"""This will stand in for Docker: it outlives the agent and remembers the truth of what ran when."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from miner_agent.containers import PortTaken
from miner_agent.domain.generation import Generation
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.engine import EngineUnavailable
from miner_agent.runtime import CannotRun, Collected, Running
from protocol.agent import RegistryLogin
from protocol.signing import openssh_public_key
from protocol.workload import DOOR_PORT
from tests.faults.world import InvariantBroken, World

#: the engine's own share of trouble, per start
PULL_FAILS, PORT_IS_TAKEN, START_FAILS = 0.02, 0.01, 0.01
#: how often an agent is killed exactly before or after it touched Docker
KILLED = 0.003


class Killed(BaseException):
    """The agent's process ends here, between two effects."""


@dataclass(slots=True)
class Box:
    """A container."""

    generation: Generation
    token: str = ""
    running: bool = False
    started_wall_ms: int = 0
    exit_code: int | None = None
    lasted_ms: int | None = None


@dataclass(slots=True)
class Lived:
    """A true running time in virtual milliseconds. None: it still runs."""

    start_ms: int
    end_ms: int | None = None


@dataclass(slots=True)
class Engine:
    """One machine's Docker, disk and doors: the agent's runtime port."""

    world: World
    wall_ms: Callable[[], int]
    #: by placement, then by the number of their generation
    boxes: dict[UUID, dict[int, Box]] = field(default_factory=dict)
    disks: dict[UUID, set[int]] = field(default_factory=dict)
    doors: set[UUID] = field(default_factory=set)
    lived: dict[UUID, list[Lived]] = field(default_factory=dict)
    #: since when doors are shut, though their containers run on
    shut_since_ms: dict[UUID, int] = field(default_factory=dict)
    #: hears of every start, before it counts
    on_start: Callable[[UUID], None] = lambda placement_id: None
    answers: bool = True
    starts: int = 0

    def containers(self) -> Collection[Container]:
        """Return every container with its state as Docker would tell it."""
        self._ask()
        return tuple(
            _seen(placement_id, box)
            for placement_id, boxes in self.boxes.items()
            for box in boxes.values()
        )

    def find(self, placement_id: UUID, generation: int) -> Container | None:
        """Return one container."""
        self._ask()
        box = self.boxes.get(placement_id, {}).get(generation)
        return None if box is None else _seen(placement_id, box)

    def traces(self) -> Mapping[UUID, Collection[int]]:
        """Return the placements that have a door's directory or disks."""
        return {one: self.disks.get(one, set()) for one in self.doors | self.disks.keys()}

    def fetch(
        self,
        placement: Placement,
        *,
        login: RegistryLogin | None,
        progress: Callable[[str], None],
    ) -> Image:
        """Fetch an image, with a registry's usual ways to fail."""
        self._ask()
        progress("pulling 50 %")
        if self.world.likely(PULL_FAILS):
            raise CannotRun("image_pull_failed", "The registry does not answer.")
        image = placement.workload.image
        return Image(image_id=image, environment={}, entrypoint=(), command=("run",))

    def make(self, placement: Placement, generation: Generation) -> None:
        """Make what is missing."""
        self._ask()
        placement_id, number = placement.placement_id, generation.number
        self.doors.add(placement_id)
        self._touch()
        disks = self.disks.setdefault(placement_id, set())
        lost = generation == placement.current or generation.adopts
        if lost and generation.disk not in disks:
            raise InvariantBroken(f"{placement_id} has lost its disk {generation.disk}")
        self.boxes.setdefault(placement_id, {}).setdefault(number, Box(generation))
        self._touch()
        disks.add(generation.disk)
        self._touch()

    def start(self, placement: Placement, generation: Generation) -> Running:
        """Start what was made, with Docker's usual ways to fail."""
        self._ask()
        placement_id = placement.placement_id
        box = self.boxes[placement_id][generation.number]
        if not box.running:
            if self.world.likely(PORT_IS_TAKEN):
                ports = sorted(generation.ports.values())
                raise PortTaken("bind: address already in use", self.world.chance.choice(ports))
            if self.world.likely(START_FAILS):
                raise CannotRun("start_failed", "Docker could not start it.")
            self._start(placement_id, box)
        self._touch()
        return Running(token=box.token, host_key=host_key(placement_id))

    def halt(self, placement_id: UUID, generation: int) -> None:
        """Let a container end."""
        self._ask()
        self._end(placement_id, exit_code=0, number=generation)
        self._touch()

    def rekey(self, placement: Placement) -> None:
        """Write the keys."""
        self._ask()

    def notify(self, placement: Placement) -> None:
        """Write the notice."""
        self._ask()

    def collect(self, placement: Placement, *, goes_on: Callable[[], None]) -> Collected:
        """Take what a job leaves."""
        self._ask()
        return Collected(())

    def tidy(self, placement_id: UUID, *, kept: Collection[Generation]) -> None:
        """Remove other containers, then other disks."""
        self._ask()
        numbers, disks = {one.number for one in kept}, {one.disk for one in kept}
        for number in sorted(self.boxes.get(placement_id, {}).keys() - numbers):
            self._end(placement_id, exit_code=137, number=number)
            del self.boxes[placement_id][number]
            self._touch()
        if placement_id in self.disks:
            self.disks[placement_id] &= disks
            self._touch()

    def remove(self, placement_id: UUID) -> None:
        """Remove containers, then disks, then the door."""
        self._ask()
        self._end(placement_id, exit_code=137)
        self.boxes.pop(placement_id, None)
        self._touch()
        self.disks.pop(placement_id, None)
        self._touch()
        self.doors.discard(placement_id)
        self._touch()

    def trim(self, slots_used: Callable[[], frozenset[int]]) -> None:
        """Remove unused networks."""

    def stop_all(self) -> None:
        """Let every container die, as when the daemon or the host restarts."""
        for placement_id in self.boxes:
            self._end(placement_id, exit_code=255)

    def stop_one(self, placement_id: UUID) -> None:
        """Let one container's own process come to an end."""
        self._end(placement_id, exit_code=0)

    def shut_door(self, placement_id: UUID) -> None:
        """Let nobody in any more: the host cheats, and goes on counting."""
        self.shut_since_ms.setdefault(placement_id, self.world.now_ms)

    def running(self) -> frozenset[UUID]:
        """Return what truly runs now."""
        return frozenset(one for one in self.boxes if self._running(one) is not None)

    def here(self) -> frozenset[UUID]:
        """Return the placements of which anything is here."""
        return frozenset(self.boxes.keys() | self.disks.keys() | self.doors)

    def door_is_open(self, placement_id: UUID, port: int, key: str) -> bool:
        """Say whether this placement's own SSH server answers on the port."""
        box = self._running(placement_id)
        if box is None or placement_id in self.shut_since_ms:
            return False
        return box.generation.ports.get(DOOR_PORT) == port and key == host_key(placement_id)

    def ran_throughout(self, placement_id: UUID, start_ms: float, end_ms: float) -> bool:
        """Say whether the container truly ran during the whole stretch (to a millisecond)."""
        now_ms = self.world.now_ms
        return any(
            lived.start_ms - 1 <= start_ms
            and end_ms <= (now_ms if lived.end_ms is None else lived.end_ms) + 1
            for lived in reversed(self.lived.get(placement_id, ()))
        )

    def _running(self, placement_id: UUID) -> Box | None:
        boxes = self.boxes.get(placement_id, {}).values()
        return next((box for box in boxes if box.running), None)

    def _start(self, placement_id: UUID, box: Box) -> None:
        self.on_start(placement_id)
        if self._running(placement_id) is not None:
            raise InvariantBroken(f"{placement_id} runs twice")
        mine = _taken(box.generation)
        for other_id in self.running():
            other = self._running(other_id)
            if other is not None and mine & _taken(other.generation):
                raise InvariantBroken(f"{placement_id} and {other_id} share a port or a GPU")
        self.starts += 1
        box.token = f"start-{self.starts}"
        box.running, box.exit_code, box.lasted_ms = True, None, None
        box.started_wall_ms = self.wall_ms()
        self.lived.setdefault(placement_id, []).append(Lived(self.world.now_ms))
        self.world.note("container started", placement_id)

    def _end(self, placement_id: UUID, *, exit_code: int, number: int | None = None) -> None:
        box = self._running(placement_id)
        if box is None or number not in (None, box.generation.number):
            return
        box.running, box.exit_code = False, exit_code
        # Docker counts on the wall clock, which may have been set meanwhile.
        lasted_ms = self.wall_ms() - box.started_wall_ms
        box.lasted_ms = lasted_ms if lasted_ms >= 0 else None
        self.lived[placement_id][-1].end_ms = self.world.now_ms
        self.world.note("container ended", placement_id)

    def _ask(self) -> None:
        if not self.answers:
            raise EngineUnavailable("Docker does not answer.")
        self._touch()

    def _touch(self) -> None:
        if self.world.likely(KILLED):
            raise Killed


def _seen(placement_id: UUID, box: Box) -> Container:
    return Container(
        placement_id=placement_id,
        generation=box.generation.number,
        running=box.running,
        token=box.token,
        exit_code=box.exit_code,
        lasted_ms=box.lasted_ms,
    )


def _taken(generation: Generation) -> set[object]:
    """Return what no other running container of the machine may have."""
    cores = {("core", core) for core in generation.cores}
    return cores | set(generation.gpu_uuids) | set(generation.ports.values())


def host_key(placement_id: UUID) -> str:
    """Return the SSH host key of a placement's own door."""
    return openssh_public_key((placement_id.bytes * 2).hex())
