"""This will mount files as file systems, and let go of them whatever a crash has left."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from miner_agent.command import CommandFailed, run

MOUNTS = Path("/proc/self/mountinfo")
MKFS_OPTIONS = "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0"
#: a program that another thread starts has what this one has just closed until it is that program,
#: and a host's own tools look into mounts: both are over in a moment
BUSY_PAUSES_S = (0.01, 0.05, 0.25)


def make_file_system(file: Path, *, size_bytes: int) -> None:
    """Reserve a file of this size and put an empty ext4 into it.

    :raises CommandFailed: when there is no room for it.
    """
    run(["fallocate", "-l", str(size_bytes), str(file)], deadline_s=600)
    run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", MKFS_OPTIONS, str(file)], deadline_s=600)


def name_whole(part: Path, file: Path) -> None:
    """Give a file its name once all of it is on the disk, also after a loss of power."""
    _flush(part)
    part.rename(file)
    _flush(file.parent)


def mount(file: Path, target: Path, *, options: str) -> None:
    """Mount the file unless something is mounted there already.

    :raises CommandFailed: when it cannot be mounted.
    """
    if not is_mounted(target):
        run(["mount", "-o", f"loop,{options}", str(file), str(target)])


def bind(source: Path, target: Path, *, options: str) -> None:
    """Let a folder be seen in a second place too, unless something is mounted there already.

    :raises CommandFailed: when it cannot be mounted.
    """
    if not is_mounted(target):
        run(["mount", "-o", f"bind,{options}", str(source), str(target)])


def unmount(target: Path) -> None:
    """Unmount everything that is mounted there, one over the other; nothing is fine.

    :raises CommandFailed: when it is in use.
    """
    while is_mounted(target):
        _unmount(str(target))


def is_mounted(target: Path) -> bool:
    """Say whether something is mounted exactly there."""
    return str(target) in (point for point, _ in mount_points())


def let_go(file: Path) -> None:
    """Unmount the file wherever it is mounted and free the devices that it has.

    :raises CommandFailed: when it is in use.
    """
    # The mounts first: a device that somebody else keeps for a moment may be free and another
    # disk's an instant after we were told of it (tests/miner_agent/test_loops.py).
    mounted = list(mount_points())
    devices = _devices(file)
    for target in [point for point, source in mounted if source in devices]:
        _unmount(target)
    # Unmounting frees a device by itself; a mere leftover of a crash needs this.
    for device in _devices(file):
        try:
            run(["losetup", "-d", device])
        except CommandFailed:
            if device in _devices(file):
                raise


def mount_points() -> Iterator[tuple[str, str]]:
    """Yield (mount point, source) of every mount, the newest last."""
    for line in MOUNTS.read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        yield fields.split()[4].replace("\\040", " "), rest.split()[1]


def _unmount(target: str) -> None:
    for pause_s in BUSY_PAUSES_S:
        try:
            run(["umount", target])
        except CommandFailed:
            time.sleep(pause_s)
        else:
            return
    run(["umount", target])


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _devices(file: Path) -> list[str]:
    if not file.exists():
        return []
    lines = run(["losetup", "-j", str(file)]).splitlines()
    return [line.partition(":")[0] for line in lines]
