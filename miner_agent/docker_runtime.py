"""This will make and remove everything a placement has on this machine, idempotently."""

import threading
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID

from miner_agent.access import kit
from miner_agent.access.rental import Doors
from miner_agent.bandwidth import BandwidthFailed
from miner_agent.belongings import Belongings
from miner_agent.containers import Containers, Made
from miner_agent.disk import Disks, check_mounted
from miner_agent.domain.container_spec import (
    KEYS_INSIDE,
    KIT_INSIDE,
    NO_NETWORK,
    Place,
    container_name,
    container_spec,
    network_spec,
    notice_signal,
    session_environment,
)
from miner_agent.domain.generation import Generation
from miner_agent.domain.gpus import GpuGrant
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.domain.resources import disk_bytes
from miner_agent.engine import EngineRefused
from miner_agent.gpu_access import GpuDoor
from miner_agent.images import Images
from miner_agent.mount_points import link_on_the_way
from miner_agent.refusals import refusals
from miner_agent.runtime import CannotRun, Collected, Running
from protocol.agent import RegistryLogin
from protocol.workload import LOG_BYTES_MOST, PlacementKind, Workload

#: dockerd serialises more starts than that
STARTS_MOST = 8
#: networks kept for the next rental: making one takes longer than anything else Docker does
POOL_NETWORKS = 4


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
        belongings: Belongings,
        dns: tuple[str, ...] = (),
        guard: Callable[[], None] | None = None,
        allow_unisolated: bool = False,
        runtimes: Callable[[], frozenset[str]] = frozenset,
        limit_bandwidth: Callable[[int], None] | None = None,
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
        self._belongings = belongings
        self._dns = dns
        #: puts the firewall's rules in force; None where this process cannot
        self._guard = guard
        #: start what would have no limit to its disk
        self._allow_unisolated = allow_unisolated
        #: what else than Docker's own choice may start containers here
        self._runtimes = runtimes
        #: holds the network of a container to its limit, by its first process
        self._limit_bandwidth = limit_bandwidth
        self._starts = threading.BoundedSemaphore(STARTS_MOST)

    def containers(self) -> Collection[Container]:
        """Return every container of this machine."""
        return self._engine.all()

    def find(self, placement_id: UUID, generation: int) -> Container | None:
        """Return one container as it is at this moment."""
        return self._engine.find(container_name(placement_id, generation))

    def traces(self) -> Mapping[UUID, Collection[int]]:
        """Return the placements that have a door's directory, a job's files or a disk."""
        folders = self._doors.traces() | self._belongings.traces()
        found: dict[UUID, Collection[int]] = dict.fromkeys(folders, ())
        return found | (self._disks.traces() if self._disks is not None else {})

    def fetch(
        self,
        placement: Placement,
        *,
        login: RegistryLogin | None,
        progress: Callable[[str], None],
    ) -> Image:
        """Return the image of what is to run, after it and a job's inputs are here."""
        workload = placement.workload
        self._check_runtime(workload)
        # Outside of the few starts: a slow registry may keep an image back for long.
        with refusals():
            image = self._images.image(
                workload.image,
                placement_id=placement.placement_id,
                login=login,
                progress=progress,
            )
        if not (workload.command or image.entrypoint or image.command) and not has_door(workload):
            raise CannotRun("workload_refused", "Its image names no command: name one.")
        self._belongings.fetch(placement.placement_id, workload, progress=progress)
        progress("starting")
        return image

    def make(self, placement: Placement, generation: Generation) -> None:
        """Write the door, make network and container and, where it adopts none, the disk."""
        self._check_runtime(generation.workload)
        with refusals(), self._starts, self._gpus.starting(generation.gpu_uuids):
            made = self._engine.made(container_name(placement.placement_id, generation.number))
            has_run = generation == placement.current
            if made is None:
                if (has_run or generation.adopts) and not self._has_disk(placement, generation):
                    message = "Its files are gone from this machine."
                    raise CannotRun("container_lost", message)
                made = self._make(placement, generation)
            if self._disks is None or made.upper is None:
                if not self._allow_unisolated:
                    raise CannotRun("no_capacity", "This machine's Docker cannot limit a disk.")
            elif not has_run and not generation.adopts:
                self._disks.make(
                    placement.placement_id,
                    generation.disk,
                    upper=made.upper,
                    size=disk_bytes(generation.workload),
                )

    def start(self, placement: Placement, generation: Generation) -> Running:
        """Mount the disk and start, once the firewall's rules are in force."""
        placement_id = placement.placement_id
        name = container_name(placement_id, generation.number)
        with refusals(), self._starts, self._gpus.starting(generation.gpu_uuids):
            found = self._engine.find(name)
            if not _is_started(found, generation.workload):
                # What shares a card may have ended with the machine.
                gpus = self._gpus.open(generation.gpu_uuids)
                self._write_door(placement, generation, gpus)
                self._connect(generation)
                disk = None
                made = self._engine.made(name)
                if self._disks is not None and made is not None and made.upper is not None:
                    self._disks.mount(placement_id, generation.disk, upper=made.upper)
                    disk = Path(made.upper).parent
                mounts = self._belongings.mount(
                    placement_id,
                    generation.workload,
                    root_inside=self._engine.root_inside(),
                    disk=disk,
                )
                if made is not None and disk is not None:
                    inside = (*mounts.inside, *gpus.writable.values())
                    self._check_ways(placement_id, generation, made, inside)
                # The engine may have come after the agent, and somebody may have flushed the rules.
                if self._guard is not None:
                    self._guard()
                # The last look: without its own disk it would fill the machine's.
                if disk is not None:
                    check_mounted(disk)
                self._engine.start(name)
                found = self._engine.find(name)
            if found is None or not _is_started(found, generation.workload):
                raise EngineRefused("the container ended at once")
            self._hold_bandwidth(name, generation)
            door = has_door(generation.workload)
            return Running(found.token, self._doors.host_key(placement_id) if door else None)

    def halt(self, placement_id: UUID, generation: int) -> None:
        """Let a container come to its end; one that is not there is fine."""
        self._engine.stop(container_name(placement_id, generation))

    def rekey(self, placement: Placement) -> None:
        """Write the authorized keys; sshd reads them at the next login."""
        self._doors.rekey(placement.placement_id, placement.authorized_keys)

    def notify(self, placement: Placement) -> None:
        """Write the notice and send the signal that the workload names for it, if it names one."""
        self._doors.notify(placement.placement_id, placement.notice)
        current = placement.current
        signal = None if current is None else notice_signal(current)
        if placement.notice is not None and current is not None and signal is not None:
            self._engine.signal(container_name(placement.placement_id, current.number), signal)

    def collect(self, placement: Placement, *, goes_on: Callable[[], None]) -> Collected:
        """Store what an ended job left, and the ends of what it said."""
        if placement.current is None:
            return Collected(())
        name = container_name(placement.placement_id, placement.current.number)
        logs = tuple(
            self._engine.log(name, stream=stream, bytes_most=LOG_BYTES_MOST)
            for stream in ("stdout", "stderr")
        )
        return self._belongings.collect(
            placement.placement_id, placement.current.workload, logs=logs, goes_on=goes_on
        )

    def tidy(self, placement_id: UUID, *, kept: Collection[Generation]) -> None:
        """Remove the other containers, each without the disk that is kept, then the other disks."""
        numbers = {generation.number for generation in kept}
        disks = {generation.disk for generation in kept}
        for container_id, (number, made) in self._engine.made_for(placement_id).items():
            if number in numbers:
                continue
            self._engine.stop(container_id)
            if self._disks is not None and made.upper is not None:
                self._disks.unmount(made.upper)
            self._engine.remove(container_id)
        if self._disks is not None:
            self._disks.remove(placement_id, kept=disks)
        workloads = [generation.workload for generation in kept]
        self._belongings.tidy(placement_id, kept=workloads)
        references = {generation.workload.image for generation in kept}
        if len(references) == 1:
            self._images.settle(placement_id, references.pop())

    def remove(self, placement_id: UUID) -> None:
        """Remove the containers first, for they use the others; the door's files last."""
        for container_id in self._engine.made_for(placement_id):
            self._engine.remove(container_id)
        self._belongings.remove(placement_id)
        if self._disks is not None:
            self._disks.remove(placement_id)
        self._doors.remove(placement_id)
        self._images.let_go(placement_id)

    def trim(self, slots_used: Callable[[], frozenset[int]]) -> None:
        """Remove networks beyond the pool, kits, images and shared memory that nobody uses."""
        self._gpus.rest(lambda: self._engine.mounted(running=True))
        kit.prune(self._kits, used=self._engine.mounted() | {str(self._kit)})
        self._images.trim()
        self._engine.disconnect(slots_kept=POOL_NETWORKS, slots_used=slots_used)

    def remove_all(self) -> None:
        """Remove every container, disk, volume, door, network and image made or fetched here."""
        containers = {container.placement_id for container in self.containers()}
        for placement_id in containers | set(self.traces()):
            self.remove(placement_id)
        self._belongings.remove_all()
        self._images.remove_unused()
        self._engine.disconnect(slots_kept=0, slots_used=frozenset)

    def _hold_bandwidth(self, name: str, generation: Generation) -> None:
        """Limit the network also of what ran before: an agent may die right after a start."""
        if self._limit_bandwidth is None or generation.workload.kind is PlacementKind.JOB:
            return
        try:
            self._limit_bandwidth(self._engine.process_id(name))
        except BandwidthFailed as error:
            self._engine.stop(name)
            raise EngineRefused(str(error)) from error

    def _check_runtime(self, workload: Workload) -> None:
        if workload.runtime and workload.runtime not in self._runtimes():
            message = f"This machine does not start containers with {workload.runtime}."
            raise CannotRun("runtime_unknown", message)

    def _check_ways(
        self, placement_id: UUID, generation: Generation, made: Made, inside: Collection[str]
    ) -> None:
        """Refuse to mount what renters fill where a link leads elsewhere, or over our own."""
        if not inside or self._disks is None or made.upper is None:
            return
        with self._disks.seen(placement_id, generation.disk, upper=made.upper) as root:
            link = link_on_the_way(root, (KIT_INSIDE, KEYS_INSIDE, *inside))
        if link is not None:
            message = f"{link} is a link in its files: choose another path, or remove the link."
            raise CannotRun("path_is_link", message)

    def _has_disk(self, placement: Placement, generation: Generation) -> bool:
        return self._disks is not None and self._disks.has(placement.placement_id, generation.disk)

    def _make(self, placement: Placement, generation: Generation) -> Made:
        placement_id = placement.placement_id
        self._doors.write_files(placement_id)
        mounts = self._belongings.mounts(
            placement_id, generation.workload, root_inside=self._engine.root_inside()
        )
        place = Place(
            machine=self._machine,
            network=self._connect(generation),
            bind_address=self._bind_address,
            kit=str(self._kit),
            keys=str(self._doors.path(placement_id)),
            open_files_most=self._open_files_most,
            dns=self._dns,
            gpus=self._gpus.open(generation.gpu_uuids),
            read_only=mounts.read_only,
            writable=mounts.writable,
        )
        spec = container_spec(placement_id=placement_id, generation=generation, place=place)
        return self._engine.make(spec, placement_id=placement_id, generation=generation.number)

    def _write_door(self, placement: Placement, generation: Generation, gpus: GpuGrant) -> None:
        workload = generation.workload
        if not has_door(workload):
            self._doors.write_files(placement.placement_id)
            return
        environment = session_environment(
            image=generation.image, environment={**workload.environment, **gpus.environment}
        )
        self._doors.write(
            placement.placement_id,
            keys=placement.authorized_keys,
            environment=environment,
            folder=generation.image.folder,
            root_inside=self._engine.root_inside(),
        )

    def _connect(self, generation: Generation) -> str:
        """Return the name of the generation's network, making it where it is missing."""
        if generation.workload.kind is PlacementKind.JOB:
            return NO_NETWORK
        if generation.slot is None:
            raise CannotRun("start_failed", "The placement holds no network slot.")
        network = network_spec(
            machine=self._machine,
            network=self._network,
            slot=generation.slot,
            internal=generation.workload.kind is PlacementKind.REPLICA,
        )
        self._engine.connect(network)
        return network.name


def has_door(workload: Workload) -> bool:
    """Say whether renters log in."""
    return workload.kind is PlacementKind.RENTAL


def _is_started(found: Container | None, workload: Workload) -> bool:
    """Say whether it runs; a job that has run already is never started again."""
    if found is None:
        return False
    return found.running or (workload.kind is PlacementKind.JOB and found.token != "")
