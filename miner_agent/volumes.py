"""This will keep volumes: files of a reserved size, mounted into one placement at a time."""

import contextlib
import logging
import os
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import UUID

from miner_agent import loops
from miner_agent.command import CommandFailed
from miner_agent.domain import volume as rules
from miner_agent.domain.root_inside import UNMAPPED, Ids
from miner_agent.domain.volume import Volume
from miner_agent.store import Store
from protocol.agent import ObservedVolume, Problem
from protocol.workload import DesiredVolume, VolumeState

#: of a mounted volume: what a placement sees, beside the file system's own lost+found
FILES = "files"
OPTIONS = "nosuid,nodev"
LOST = "The file of this volume is not on this machine any more; its host has to look."

logger = logging.getLogger(__name__)


class VolumeUnknown(Exception):
    """This machine has no such volume, or has it no more; the sentence says which."""


class VolumeInUse(Exception):
    """Another placement has the volume."""


class Volumes:
    """The volumes of this machine: ``<id>.img`` in one directory, mounted at ``<id>`` beside it.

    Journalled before they are made, and removed only when that is asked for.
    """

    def __init__(self, *, path: Path | str, directory: Path) -> None:
        self._store = Store(path)
        self._directory = directory
        self._lock = threading.RLock()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def close(self) -> None:
        """Close the journal's file."""
        self._store.close()

    def desire(self, desired: Sequence[DesiredVolume], *, free_bytes: int) -> bool:
        """Write down what the marketplace desires; say whether that changes anything.

        ``free_bytes`` is what the disk has beside everything that is reserved already.
        """
        # Not under the lock: making a volume may take minutes, and a reply waits for this.
        with self._store.transaction():
            changed = rules.after(self._all(), desired, free_bytes=free_bytes)
            for volume_id, volume in changed.items():
                if volume is None:
                    self._store.write("DELETE FROM volume WHERE id = ?", (str(volume_id),))
                else:
                    self._put(volume)
        return bool(changed)

    def observed(self) -> tuple[ObservedVolume, ...]:
        """Return what the marketplace is told."""
        return rules.observed(list(self._all().values()))

    def reserved_bytes(self) -> int:
        """Return what all volumes take from the disk together."""
        return sum(volume.reserved_bytes for volume in self._all().values())

    def converge(self) -> bool:
        """Make and remove what is under way and look after the rest; say whether a state changed.

        One volume's failure is its own and is tried again at the next call.
        """
        changed = False
        for volume_id, volume in self._all().items():
            try:
                with self._lock, contextlib.suppress(VolumeUnknown):
                    changed |= self._step(volume_id).state is not volume.state
            except CommandFailed as error:
                logger.warning(
                    "volume step failed", extra={"volume": str(volume_id), "error": str(error)}
                )
        return changed

    def attach(self, placement_id: UUID, volume_id: UUID, *, root_inside: Ids = UNMAPPED) -> Path:
        """Mount the volume for this placement and return the folder that it gets; idempotent.

        :raises VolumeUnknown: when it is not here or shall go.
        :raises VolumeInUse: when another placement has it.
        :raises CommandFailed: when it cannot be mounted.
        """
        with self._lock:
            volume = self._step(volume_id)
            if volume.remove or volume.state is not VolumeState.READY:
                raise VolumeUnknown(f"This machine does not have the volume {volume_id}.")
            self._store.write(
                "INSERT OR IGNORE INTO attached VALUES (?, ?)", (str(volume_id), str(placement_id))
            )
            if self._attached().get(volume_id) != placement_id:
                raise VolumeInUse(f"The volume {volume_id} is in use by another placement.")
            target = self._directory / str(volume_id)
            target.mkdir(mode=0o700, exist_ok=True)
            loops.mount(self._file(volume_id), target, options=OPTIONS)
            files = target / FILES
            if not files.exists():
                files.mkdir(mode=0o755)
                os.chown(files, *root_inside)
            return files

    def detach(self, placement_id: UUID, *, kept: Collection[UUID] = ()) -> None:
        """Unmount every volume that this placement has beside those ``kept``; none is fine.

        :raises CommandFailed: when one is still in use.
        """
        with self._lock:
            for volume_id, holder in self._attached().items():
                if holder == placement_id and volume_id not in kept:
                    self._unmount(volume_id)
                    self._store.write("DELETE FROM attached WHERE volume = ?", (str(volume_id),))

    def remove_all(self) -> None:
        """Remove every volume of this machine: its host leaves.

        :raises CommandFailed: when one is still in use.
        """
        with self._lock:
            for volume_id, volume in self._all().items():
                self.detach(self._attached().get(volume_id, volume_id))
                self._change(volume, remove=True)
                self._step(volume_id)

    def _step(self, volume_id: UUID) -> Volume:
        """Bring one volume to where it shall be, as far as that is possible now."""
        volume = self._all().get(volume_id)
        if volume is None:
            raise VolumeUnknown(f"This machine does not know the volume {volume_id}.")
        if volume.remove:
            return volume if volume.is_settled else self._remove(volume)
        if volume.state is None:
            return self._make(volume)
        return self._look_after(volume) if volume.whole else volume

    def _make(self, volume: Volume) -> Volume:
        file = self._file(volume.volume_id)
        # One that is here already was made before the journal was lost: it holds somebody's files.
        if not file.exists():
            part = file.with_suffix(".part")
            self._drop(part)
            try:
                loops.make_file_system(part, size_bytes=volume.size_bytes)
            except CommandFailed as error:
                self._drop(part)
                logger.warning("Volume not made", extra={"error": str(error)})
                message = "This machine could not make the volume; its host has to look."
                problem = Problem(code="no_capacity", message=message)
                return self._change(volume, state=VolumeState.REFUSED, problem=problem)
            loops.name_whole(part, file)
        logger.info("volume ready", extra={"volume": str(volume.volume_id)})
        return self._change(volume, state=VolumeState.READY, whole=True, problem=None)

    def _look_after(self, volume: Volume) -> Volume:
        """Say when the file of a volume is lost, and when it is back."""
        there = self._file(volume.volume_id).exists()
        if there is (volume.state is VolumeState.READY):
            return volume
        logger.warning("volume lost or found", extra={"volume": str(volume.volume_id)})
        if there:
            return self._change(volume, state=VolumeState.READY, problem=None)
        problem = Problem(code="volume_lost", message=LOST)
        return self._change(volume, state=VolumeState.REFUSED, problem=problem)

    def _remove(self, volume: Volume) -> Volume:
        """Remove the volume's files, unless a placement still has it."""
        volume_id = volume.volume_id
        if volume_id in self._attached():
            return volume
        self._unmount(volume_id)
        file = self._file(volume_id)
        for one in (file.with_suffix(".part"), file):
            self._drop(one)
        with contextlib.suppress(FileNotFoundError):
            (self._directory / str(volume_id)).rmdir()
        logger.info("volume gone", extra={"volume": str(volume_id)})
        return self._change(volume, state=VolumeState.GONE, whole=False, problem=None)

    def _unmount(self, volume_id: UUID) -> None:
        loops.unmount(self._directory / str(volume_id))

    def _drop(self, file: Path) -> None:
        loops.let_go(file)
        file.unlink(missing_ok=True)

    def _file(self, volume_id: UUID) -> Path:
        return self._directory / f"{volume_id}.img"

    def _all(self) -> dict[UUID, Volume]:
        rows = self._store.rows("SELECT content FROM volume ORDER BY id")
        volumes = (Volume.model_validate_json(content) for (content,) in rows)
        return {volume.volume_id: volume for volume in volumes}

    def _attached(self) -> dict[UUID, UUID]:
        rows = self._store.rows("SELECT volume, placement FROM attached ORDER BY volume")
        return {UUID(volume): UUID(placement) for volume, placement in rows}

    def _change(self, volume: Volume, **changes: object) -> Volume:
        """Note what became of a volume; what was desired of it meanwhile stays."""
        with self._store.transaction():
            newest = self._all()[volume.volume_id]
            return self._put(newest.model_copy(update=changes))

    def _put(self, volume: Volume) -> Volume:
        self._store.write(
            "INSERT INTO volume VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET content = excluded.content",
            (str(volume.volume_id), volume.model_dump_json()),
        )
        return volume
