"""This will give a placement what it has beside its disk: volumes, and a job's files."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from miner_agent.domain.resources import disk_bytes
from miner_agent.domain.root_inside import Ids
from miner_agent.job_files import JobFiles
from miner_agent.market import MarketRefused
from miner_agent.runtime import CannotRun, Collected
from miner_agent.volumes import Volumes
from protocol.workload import INPUT_FOLDER, OUTPUT_FOLDER, PlacementKind, Workload


@dataclass(frozen=True, slots=True)
class Mounts:
    """Path of this machine -> path inside."""

    read_only: dict[str, str] = field(default_factory=dict)
    writable: dict[str, str] = field(default_factory=dict)

    @property
    def inside(self) -> tuple[str, ...]:
        """Return every path inside."""
        return (*self.read_only.values(), *self.writable.values())


class Belongings:
    """Volumes and job files as containers see them."""

    def __init__(self, *, volumes: Volumes, job_files: JobFiles) -> None:
        self._volumes = volumes
        self._job_files = job_files

    def fetch(
        self, placement_id: UUID, workload: Workload, *, progress: Callable[[str], None]
    ) -> None:
        """Fetch a job's inputs.

        :raises CannotRun: when the marketplace does not give one out.
        """
        if workload.kind is not PlacementKind.JOB:
            return
        try:
            self._job_files.fetch(placement_id, workload.inputs, progress=progress)
        except MarketRefused as error:
            message = f"The marketplace does not give out one of its inputs: {error}"
            raise CannotRun("input_missing", message) from error

    def mounts(self, placement_id: UUID, workload: Workload, *, root_inside: Ids) -> Mounts:
        """Return what its container mounts, after every volume is where it has to be.

        :raises VolumeUnknown: when a volume is not here.
        :raises VolumeInUse: when another placement has it.
        :raises CommandFailed: when it cannot be mounted.
        """
        if workload.kind is PlacementKind.JOB:
            self._job_files.prepare(placement_id)
            return Mounts(
                read_only={str(self._job_files.input_folder(placement_id)): INPUT_FOLDER},
                writable={str(self._job_files.output_folder(placement_id)): OUTPUT_FOLDER},
            )
        return Mounts(
            writable={
                str(
                    self._volumes.attach(placement_id, one.volume_id, root_inside=root_inside)
                ): one.path
                for one in workload.volumes
            }
        )

    def mount(
        self, placement_id: UUID, workload: Workload, *, root_inside: Ids, disk: Path | None
    ) -> Mounts:
        """Let everything be in its place before the container starts; a reboot took it away.

        ``disk`` is where the placement's disk is mounted; None: nothing limits it.

        :raises VolumeUnknown: when a volume is not here.
        :raises VolumeInUse: when another placement has it.
        :raises CommandFailed: when something cannot be mounted.
        """
        mounts = self.mounts(placement_id, workload, root_inside=root_inside)
        if workload.kind is PlacementKind.JOB and disk is not None:
            self._job_files.mount_output(placement_id, disk)
        return mounts

    def collect(
        self,
        placement_id: UUID,
        workload: Workload,
        *,
        logs: Sequence[bytes],
        goes_on: Callable[[], None],
    ) -> Collected:
        """Store what a job left.

        More than its disk holds it has not written: holes claim any size, and cost us the reading.
        """
        bytes_most = min(workload.outputs_bytes_max, disk_bytes(workload))
        return self._job_files.collect(
            placement_id, bytes_most=bytes_most, logs=logs, goes_on=goes_on
        )

    def tidy(self, placement_id: UUID, *, kept: Collection[Workload]) -> None:
        """Let go of the volumes that none of these workloads has.

        :raises CommandFailed: when one is still in use.
        """
        volumes = {one.volume_id for workload in kept for one in workload.volumes}
        self._volumes.detach(placement_id, kept=volumes)

    def remove(self, placement_id: UUID) -> None:
        """Let go of every volume and remove a job's files; nothing is fine.

        :raises CommandFailed: when something is still in use.
        """
        self._volumes.detach(placement_id)
        self._job_files.remove(placement_id)

    def traces(self) -> frozenset[UUID]:
        """Return the placements of which something is here."""
        return self._job_files.traces()

    def remove_all(self) -> None:
        """Remove every volume: the host leaves."""
        self._volumes.remove_all()
