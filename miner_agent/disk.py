"""This will give each container a disk of a fixed size that really ends.

A reserved file holds an ext4 that is mounted over the container's directory of the overlay2 driver,
so the whole root file system is capped whatever file system the machine has.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from miner_agent.command import CommandFailed, run

STORAGE = "overlay2"
MOUNTS = Path("/proc/self/mountinfo")
MKFS_OPTIONS = "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0"
#: program -> the package that has it
TOOLS = {
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "umount": "mount",
    "losetup": "mount",
    "fallocate": "util-linux",
    "cp": "coreutils",
}


class DiskFailed(Exception):
    """The disk could not be made: most often there is no room for it."""


def missing(storage_driver: str = STORAGE) -> tuple[str, ...]:
    """Return what has to be done before this process can limit disks, each in a few words."""
    wanted = ["run it as root"] if os.geteuid() != 0 else []
    packages = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    wanted += [f"install {package}" for package in packages]
    if storage_driver != STORAGE:
        wanted.append(f"set Docker's storage driver to {STORAGE}, it is {storage_driver} now")
    return tuple(wanted)


class Disks:
    """The disks of all placements: files ``<placement>.<container>.img`` in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def mount(self, *, placement_id: UUID, container_id: str, upper: str, size: int) -> None:
        """Mount the container's disk, making it first where there is none; idempotent.

        :raises DiskFailed: when the machine has no room or a tool fails.
        """
        target = Path(upper).parent
        image = self._directory / f"{placement_id}.{container_id[:12]}.img"
        if str(target) in _mounted():
            return
        try:
            for old in self._of(placement_id):
                if old != image:
                    self._drop(old)
            if not image.exists():
                self._make(image, target, size)
            run(["mount", "-o", "loop,nodev", str(image), str(target)])
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error

    def remove(self, placement_id: UUID) -> None:
        """Unmount and free everything of this placement; what is not there is fine.

        :raises DiskFailed: when something is still in use.
        """
        try:
            for file in self._of(placement_id):
                self._drop(file)
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error

    def traces(self) -> frozenset[UUID]:
        """Return the placements that have a disk here."""
        found = set()
        for path in self._directory.iterdir():
            try:
                found.add(UUID(path.name.partition(".")[0]))
            except ValueError:
                continue
        return frozenset(found)

    def _of(self, placement_id: UUID) -> list[Path]:
        return sorted(self._directory.glob(f"{placement_id}.*"))

    def _make(self, image: Path, target: Path, size: int) -> None:
        # Everything happens under another name, so that a file called .img is always whole.
        part, copy = image.with_suffix(".part"), image.with_suffix(".copy")
        run(["fallocate", "-l", str(size), str(part)])
        run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", MKFS_OPTIONS, str(part)])
        copy.mkdir(exist_ok=True)
        run(["mount", "-o", "loop,nodev", str(part), str(copy)])
        run(["cp", "-a", f"{target}/.", f"{copy}/"], deadline_s=300)
        run(["umount", str(copy)])
        copy.rmdir()
        part.rename(image)

    def _drop(self, path: Path) -> None:
        if path.is_dir():
            if str(path) in _mounted():
                run(["umount", str(path)])
            path.rmdir()
            return
        for device in _loop_devices(path):
            for target in _mounted_from(device):
                run(["umount", target])
            # Unmounting frees the device by itself; a mere leftover of a crash needs this.
            if device in _loop_devices(path):
                run(["losetup", "-d", device])
        path.unlink(missing_ok=True)


def _loop_devices(image: Path) -> list[str]:
    lines = run(["losetup", "-j", str(image)]).splitlines()
    return [line.partition(":")[0] for line in lines]


def _mount_lines() -> Iterator[tuple[str, str]]:
    """Yield (mount point, source) of every mount."""
    for line in MOUNTS.read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        yield fields.split()[4].replace("\\040", " "), rest.split()[1]


def _mounted() -> frozenset[str]:
    return frozenset(target for target, _ in _mount_lines())


def _mounted_from(device: str) -> list[str]:
    return [target for target, source in _mount_lines() if source == device]
