"""This will give each container a disk of a fixed size that really ends.

A reserved file holds an ext4 that is mounted over the container's directory of the overlay2 driver,
so the whole root file system is capped whatever file system the machine has.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from miner_agent import loops
from miner_agent.command import CommandFailed, run
from miner_agent.domain.owned import disk_owner

STORAGE = "overlay2"
#: of a mounted disk: devices in it are files like others
OPTIONS = "nodev"
#: files in a container's directory in which Docker notes which layers it lies on
LAYER_NOTES = ("link", "lower")
#: end the names of folders over which a disk is mounted while it is filled, or looked at
COPY, LOOK = ".copy", ".look"
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


def check_mounted(target: Path) -> None:
    """Look whether a container's disk is mounted over its directory.

    :raises DiskFailed: when it is not.
    """
    if not loops.is_mounted(target):
        raise DiskFailed("The disk is not mounted any more.")


class Disks:
    """The disks of all placements: files ``<placement>.<number>.img`` in one directory.

    A disk outlives its container: the next one made of the same image adopts it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def has(self, placement_id: UUID, number: int) -> bool:
        """Say whether this disk is here."""
        return self._image(placement_id, number).exists()

    def make(self, placement_id: UUID, number: int, *, upper: str, size: int) -> None:
        """Make a disk with what a container that was never started has; idempotent.

        :raises DiskFailed: when the machine has no room or a tool fails.
        """
        image = self._image(placement_id, number)
        if image.exists():
            return
        try:
            for old in self._of(placement_id, number):
                self._drop(old)
            self._make(image, Path(upper).parent, size)
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error

    def mount(self, placement_id: UUID, number: int, *, upper: str) -> None:
        """Mount the disk over the directory of a container that does not run; idempotent.

        :raises DiskFailed: when a tool fails.
        """
        target, image = Path(upper).parent, self._image(placement_id, number)
        try:
            self._look_away(image)
            if loops.is_mounted(target):
                return
            loops.let_go(image)
            self._adopt(image, target)
            loops.mount(image, target, options=OPTIONS)
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error

    @contextmanager
    def seen(self, placement_id: UUID, number: int, *, upper: str) -> Iterator[Path]:
        """Yield what a container that does not run will have as its files, to read only.

        Its disk is mounted, and nothing of the machine is in it yet.

        :raises DiskFailed: when a tool fails.
        """
        own, image = Path(upper).parent, self._image(placement_id, number)
        look = image.with_suffix(LOOK)
        # As Docker does: by short names below its folder, for the kernel reads 4 KiB of options.
        layers = f"{own.name}/{Path(upper).name}:{(own / 'lower').read_text().strip()}"
        options = f"ro,nodev,nosuid,noexec,lowerdir={layers}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(look)]
        try:
            self._look_away(image)
            look.mkdir(mode=0o700)
            run(["env", "-C", str(own.parent), *mount])
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error
        try:
            yield look
        finally:
            self._look_away(image)

    def unmount(self, upper: str) -> None:
        """Take the disk from a container that does not run: Docker removes what it finds there.

        :raises DiskFailed: when it is still in use.
        """
        target = str(Path(upper).parent)
        try:
            # What Docker itself left mounted below goes first.
            points = {point for point, _ in loops.mount_points()}
            for point in sorted(points, key=len, reverse=True):
                if point == target or point.startswith(f"{target}/"):
                    loops.unmount(Path(point))
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error

    def remove(self, placement_id: UUID, *, kept: Collection[int] = ()) -> None:
        """Unmount and free the placement's disks but those kept; what is not there is fine.

        So is what a crash has left of a look at one that is kept: call it while nobody looks.

        :raises DiskFailed: when something is still in use.
        """
        try:
            for file in self._of(placement_id):
                disk = disk_owner(file.name)
                if disk is not None and (disk[1] not in kept or file.suffix == LOOK):
                    self._drop(file)
        except CommandFailed as error:
            raise DiskFailed(str(error)) from error

    def traces(self) -> dict[UUID, frozenset[int]]:
        """Return the placements that have a disk here, with the numbers of their disks."""
        found: dict[UUID, set[int]] = {}
        for path in self._directory.iterdir():
            if (disk := disk_owner(path.name)) is not None:
                found.setdefault(disk[0], set()).add(disk[1])
        return {placement_id: frozenset(numbers) for placement_id, numbers in found.items()}

    def _image(self, placement_id: UUID, number: int) -> Path:
        return self._directory / f"{placement_id}.{number}.img"

    def _of(self, placement_id: UUID, number: int | None = None) -> list[Path]:
        """Return the files of all disks of a placement, or of one of them."""
        files = {path: disk_owner(path.name) for path in self._directory.iterdir()}
        return sorted(
            path
            for path, disk in files.items()
            if disk is not None and disk[0] == placement_id and number in (None, disk[1])
        )

    def _make(self, image: Path, target: Path, size: int) -> None:
        # Everything happens under another name, so that a file called .img is always whole.
        part, copy = image.with_suffix(".part"), image.with_suffix(COPY)
        loops.make_file_system(part, size_bytes=size)
        copy.mkdir(exist_ok=True)
        loops.mount(part, copy, options=OPTIONS)
        run(["cp", "-a", f"{target}/.", f"{copy}/"], deadline_s=300)
        loops.unmount(copy)
        copy.rmdir()
        loops.name_whole(part, image)

    def _adopt(self, image: Path, target: Path) -> None:
        """Make the disk fit this container: Docker's own notes about its layers are in it too.

        This happens beside the container's directory: once mounted there, a disk is whole.
        """
        notes = {name: (target / name).read_bytes() for name in LAYER_NOTES}
        copy = image.with_suffix(COPY)
        copy.mkdir(exist_ok=True)
        loops.mount(image, copy, options=OPTIONS)
        try:
            for name, content in notes.items():
                (copy / name).write_bytes(content)
            # What the kernel had begun there belongs to the layers of the one before.
            for left in (copy / "work").iterdir():
                shutil.rmtree(left)
        except OSError as error:
            raise DiskFailed(f"The disk could not be prepared: {error}") from error
        finally:
            loops.unmount(copy)
        copy.rmdir()

    def _look_away(self, image: Path) -> None:
        """End a look, also one that a crash has left: it keeps the disk in use."""
        look = image.with_suffix(LOOK)
        if os.path.lexists(look):
            self._drop(look)

    def _drop(self, path: Path) -> None:
        # By its name: what is mounted there may be gone, and then it does not look like a folder.
        if path.suffix in (COPY, LOOK):
            loops.unmount(path)
            path.rmdir()
            return
        loops.let_go(path)
        path.unlink(missing_ok=True)
