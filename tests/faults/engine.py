"""This will stand in for Docker: it outlives the agent and remembers the truth of what ran when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from miner_agent.containers import PortTaken
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.engine import EngineUnavailable
from miner_agent.runtime import CannotRun, Running
from protocol.signing import openssh_public_key
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

    port: int
    gpu_uuids: tuple[str, ...]
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
    boxes: dict[UUID, Box] = field(default_factory=dict)
    doors: set[UUID] = field(default_factory=set)
    lived: dict[UUID, list[Lived]] = field(default_factory=dict)
    #: since when doors are shut, though their containers run on
    shut_since_ms: dict[UUID, int] = field(default_factory=dict)
    #: hears of every start, before it counts
    on_start: Callable[[UUID], None] = lambda placement_id: None
    answers: bool = True
    starts: int = 0

    def containers(self) -> Mapping[UUID, Container]:
        """Return every container with its state as Docker would tell it."""
        self._ask()
        return {one: self._seen(one, box) for one, box in self.boxes.items()}

    def find(self, placement_id: UUID) -> Container | None:
        """Return one placement's container."""
        self._ask()
        box = self.boxes.get(placement_id)
        return None if box is None else self._seen(placement_id, box)

    def traces(self) -> frozenset[UUID]:
        """Return the placements that have a door's directory."""
        return frozenset(self.doors)

    def bring_up(self, placement: Placement, *, progress: Callable[[str], None]) -> Running:
        """Make and start what is missing, with Docker's usual ways to fail."""
        placement_id = placement.placement_id
        self._ask()
        progress("pulling 50 %")
        if self.world.likely(PULL_FAILS):
            raise CannotRun("image_pull_failed", "The registry does not answer.")
        self.doors.add(placement_id)
        self._touch()
        if placement.port is None:
            raise InvariantBroken(f"{placement_id} is brought up without a port")
        box = self.boxes.setdefault(placement_id, Box(placement.port, placement.gpu_uuids))
        self._touch()
        if not box.running:
            if self.world.likely(PORT_IS_TAKEN):
                if not box.token:
                    # Never started: it is made again for another port.
                    del self.boxes[placement_id]
                raise PortTaken("bind: address already in use")
            if self.world.likely(START_FAILS):
                raise CannotRun("start_failed", "Docker could not start it.")
            self._start(placement_id, box)
        self._touch()
        return Running(token=box.token, host_key=host_key(placement_id))

    def rekey(self, placement: Placement) -> None:
        """Write the keys."""
        self._ask()

    def remove(self, placement_id: UUID) -> None:
        """Remove container, then door."""
        self._ask()
        self._end(placement_id, exit_code=137)
        self.boxes.pop(placement_id, None)
        self._touch()
        self.doors.discard(placement_id)
        self._touch()

    def trim(self, slots_used: frozenset[int]) -> None:
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
        return frozenset(one for one, box in self.boxes.items() if box.running)

    def door_is_open(self, placement_id: UUID, port: int, key: str) -> bool:
        """Say whether this placement's own SSH server answers on the port."""
        box = self.boxes.get(placement_id)
        if box is None or not box.running or placement_id in self.shut_since_ms:
            return False
        return box.port == port and key == host_key(placement_id)

    def ran_throughout(self, placement_id: UUID, start_ms: float, end_ms: float) -> bool:
        """Say whether the container truly ran during the whole stretch (to a millisecond)."""
        now_ms = self.world.now_ms
        return any(
            lived.start_ms - 1 <= start_ms
            and end_ms <= (now_ms if lived.end_ms is None else lived.end_ms) + 1
            for lived in reversed(self.lived.get(placement_id, ()))
        )

    def _seen(self, placement_id: UUID, box: Box) -> Container:
        return Container(
            placement_id=placement_id,
            running=box.running,
            token=box.token,
            exit_code=box.exit_code,
            lasted_ms=box.lasted_ms,
        )

    def _start(self, placement_id: UUID, box: Box) -> None:
        self.on_start(placement_id)
        for other_id, other in self.boxes.items():
            if other_id == placement_id or not other.running:
                continue
            if other.port == box.port or set(other.gpu_uuids) & set(box.gpu_uuids):
                raise InvariantBroken(f"{placement_id} and {other_id} share a port or a GPU")
        self.starts += 1
        box.token = f"start-{self.starts}"
        box.running, box.exit_code, box.lasted_ms = True, None, None
        box.started_wall_ms = self.wall_ms()
        self.lived.setdefault(placement_id, []).append(Lived(self.world.now_ms))
        self.world.note("container started", placement_id)

    def _end(self, placement_id: UUID, *, exit_code: int) -> None:
        box = self.boxes.get(placement_id)
        if box is None or not box.running:
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


def host_key(placement_id: UUID) -> str:
    """Return the SSH host key of a placement's own door."""
    return openssh_public_key((placement_id.bytes * 2).hex())
