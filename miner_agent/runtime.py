"""This will make and remove everything a placement has on this machine, idempotently."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol
from uuid import UUID

from miner_agent.access import kit
from miner_agent.access.rental import Doors
from miner_agent.containers import Containers, Made
from miner_agent.disk import DiskFailed, Disks
from miner_agent.domain.container_spec import (
    NetworkSpec,
    Place,
    container_name,
    container_spec,
    network_spec,
    session_environment,
)
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.engine import EngineRefused
from miner_agent.gpu_access import GpuDoor, GpuUnavailable
from miner_agent.images import ImagePullFailed, Images, ImageUnknown

#: dockerd serialises more starts than that
STARTS_MOST = 8
#: networks kept for the next rental: making one takes longer than anything else Docker does
POOL_NETWORKS = 4
#: what Docker said is the host's business
NO_GPU = "This machine could not hand out its GPUs: rent another one; its host has to look."

logger = logging.getLogger(__name__)


class CannotRun(Exception):
    """The placement cannot run here; ``code`` and the sentence may go to the marketplace."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Running:
    """A placement that runs: its container's start and its door's host key."""

    token: str
    host_key: str


class Runtime(Protocol):
    """What the agent needs from the machine; calls may raise EngineUnavailable and be repeated."""

    def containers(self) -> Mapping[UUID, Container]:
        """Return every container of this machine by placement."""
        ...

    def find(self, placement_id: UUID) -> Container | None:
        """Return one placement's container as it is at this moment."""
        ...

    def traces(self) -> frozenset[UUID]:
        """Return the placements of which anything else is here."""
        ...

    def bring_up(self, placement: Placement, *, progress: Callable[[str], None]) -> Running:
        """Make what is missing and start it; nothing that has run is made anew.

        :raises CannotRun: when it cannot run, for a reason that trying again may not change.
        :raises PortTaken: when another program listens on its port.
        """
        ...

    def rekey(self, placement: Placement) -> None:
        """Let exactly the placement's authorized keys in."""
        ...

    def remove(self, placement_id: UUID) -> None:
        """Remove container, disk and door; what is missing is fine."""
        ...

    def trim(self, slots_used: frozenset[int]) -> None:
        """Remove what is kept for all placements and that none of them uses any more."""
        ...


class DockerRuntime:
    """Docker, this machine's disk and the access kit."""

    def __init__(
        self,
        *,
        engine: Containers,
        images: Images,
        disks: Disks | None,
        doors: Doors,
        kits: Path,
        kit: Path,
        machine: str,
        network: IPv4Network,
        bind_address: str,
        open_files_most: int,
        gpus: GpuDoor,
        dns: tuple[str, ...] = (),
        guard: Callable[[], None] | None = None,
        allow_unisolated: bool = False,
    ) -> None:
        self._engine = engine
        self._images = images
        self._disks = disks
        self._doors = doors
        self._kits = kits
        self._kit = kit
        self._machine = machine
        self._network = network
        self._bind_address = bind_address
        self._open_files_most = open_files_most
        self._gpus = gpus
        self._dns = dns
        #: puts the firewall's rules in force; None where this process cannot
        self._guard = guard
        #: start what would have no limit to its disk
        self._allow_unisolated = allow_unisolated
        self._starts = threading.BoundedSemaphore(STARTS_MOST)

    def containers(self) -> Mapping[UUID, Container]:
        """Return every container of this machine by placement."""
        return self._engine.all()

    def find(self, placement_id: UUID) -> Container | None:
        """Return one placement's container as it is at this moment."""
        return self._engine.find(container_name(placement_id), placement_id)

    def traces(self) -> frozenset[UUID]:
        """Return the placements that have a door's directory or a disk."""
        disks = self._disks.traces() if self._disks is not None else frozenset[UUID]()
        return self._doors.traces() | disks

    def bring_up(self, placement: Placement, *, progress: Callable[[str], None]) -> Running:
        """Fetch the image, write the door, make network, container and disk, start."""
        try:
            return self._bring_up(placement, progress)
        except ImageUnknown as error:
            raise CannotRun("image_unknown", str(error)) from error
        except ImagePullFailed as error:
            raise CannotRun("image_pull_failed", str(error)) from error
        except DiskFailed as error:
            raise CannotRun("no_capacity", f"The disk could not be made: {error}") from error
        except GpuUnavailable as error:
            logger.warning("GPU not handed out", extra={"error": str(error)})
            raise CannotRun("gpu_unavailable", NO_GPU) from error
        except EngineRefused as error:
            raise CannotRun("start_failed", f"Docker could not start it: {error}") from error
        except PermissionError as error:
            # Only root can give files to the user that Docker maps root inside to.
            message = "This machine's agent has to run as root, for Docker maps users here."
            raise CannotRun("start_failed", message) from error

    def rekey(self, placement: Placement) -> None:
        """Write the authorized keys; sshd reads them at the next login."""
        self._doors.rekey(placement.placement_id, placement.authorized_keys)

    def remove(self, placement_id: UUID) -> None:
        """Remove the container first, for it uses the others; the door's files last."""
        self._engine.remove(container_name(placement_id))
        if self._disks is not None:
            self._disks.remove(placement_id)
        self._doors.remove(placement_id)
        self._images.let_go(placement_id)

    def trim(self, slots_used: frozenset[int]) -> None:
        """Remove networks beyond the pool, kits and images that no placement uses."""
        kit.prune(self._kits, used=self._engine.mounted() | {str(self._kit)})
        self._images.trim()
        self._engine.disconnect(slots_kept=POOL_NETWORKS, slots_used=slots_used)

    def remove_all(self) -> None:
        """Remove every container, disk, door, network and image made or fetched here."""
        for placement_id in set(self.containers()) | self.traces():
            self.remove(placement_id)
        self._images.remove_unused()
        self._engine.disconnect(slots_kept=0, slots_used=frozenset())

    def _bring_up(self, placement: Placement, progress: Callable[[str], None]) -> Running:
        placement_id, name = placement.placement_id, container_name(placement.placement_id)
        if placement.slot is None or placement.port is None:
            raise CannotRun("start_failed", "The placement holds no network slot or no port.")
        network = network_spec(machine=self._machine, network=self._network, slot=placement.slot)
        made = self._engine.made(name, port=placement.port)
        if made is not None:
            with self._starts:
                self._doors.rekey(placement_id, placement.authorized_keys)
                return self._start(placement, network, made)
        # Outside of the few starts: a slow registry may keep an image back for long.
        image = self._images.image(
            placement.workload.image, placement_id=placement_id, progress=progress
        )
        progress("starting")
        with self._starts:
            return self._start(placement, network, self._make(placement, network, image))

    def _start(self, placement: Placement, network: NetworkSpec, made: Made) -> Running:
        placement_id, name = placement.placement_id, container_name(placement.placement_id)
        found = self._engine.find(name, placement_id)
        if found is None or not found.running:
            self._engine.connect(network)
            self._limit_disk(placement, made)
            # The engine may have come after the agent, and somebody may have flushed the rules.
            if self._guard is not None:
                self._guard()
            # What shares a card may have ended with the machine.
            self._gpus.open(placement.gpu_uuids)
            self._engine.start(name)
            found = self._engine.find(name, placement_id)
        if found is None or not found.running:
            raise EngineRefused("the container ended at once")
        return Running(token=found.token, host_key=self._doors.host_key(placement_id))

    def _limit_disk(self, placement: Placement, made: Made) -> None:
        if self._disks is not None and made.upper is not None:
            self._disks.mount(
                placement_id=placement.placement_id,
                container_id=made.container_id,
                upper=made.upper,
                size=placement.workload.resources.hard_disk.capacity,
            )
        elif not self._allow_unisolated:
            raise CannotRun("no_capacity", "This machine's Docker cannot limit a disk.")

    def _make(self, placement: Placement, network: NetworkSpec, image: Image) -> Made:
        placement_id, workload = placement.placement_id, placement.workload
        gpus = self._gpus.open(placement.gpu_uuids)
        environment = session_environment(
            image=image, environment={**workload.environment, **gpus.environment}
        )
        keys = placement.authorized_keys
        self._doors.write(
            placement_id,
            keys=keys,
            environment=environment,
            folder=image.folder,
            root_inside=self._engine.root_inside(),
        )
        self._engine.connect(network)
        place = Place(
            machine=self._machine,
            network=network.name,
            bind_address=self._bind_address,
            kit=str(self._kit),
            keys=str(self._doors.path(placement_id)),
            open_files_most=self._open_files_most,
            dns=self._dns,
            gpus=gpus,
        )
        spec = container_spec(placement=placement, image=image, place=place)
        return self._engine.make(spec, placement_id=placement_id)
