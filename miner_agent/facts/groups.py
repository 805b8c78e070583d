"""This will read what a container's processes use, from the kernel's own files.

Asking Docker costs some hundred times as much, and a second for each container.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from miner_agent.domain import cgroup

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
LOOPBACK = "lo"


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """What one container uses; None where it has none of its own."""

    group: cgroup.GroupUsage
    #: of the tree that counts memory; what the kernel's log names
    group_path: str
    #: (received, sent) as the container sees it
    network_bytes: tuple[int, int] | None
    #: (used, size) of what its files are on
    disk_bytes: tuple[int, int]


def read(pid: int, *, proc: Path = PROC, root: Path = CGROUPS) -> ContainerUsage | None:
    """Return what the container of this first process uses; None where it has ended."""
    of_process = proc / str(pid)
    try:
        paths = cgroup.paths((of_process / "cgroup").read_text())
        network = network_bytes((of_process / "net" / "dev").read_text())
        room = os.statvfs(of_process / "root")
    except OSError:
        return None
    group = cgroup.usage(
        paths, lambda controller, path: _text(root / controller / path.lstrip("/"))
    )
    if group is None:
        return None
    return ContainerUsage(
        group=group,
        group_path=paths.get(cgroup.MEMORY, paths.get("", "")),
        network_bytes=network,
        disk_bytes=((room.f_blocks - room.f_bfree) * room.f_frsize, room.f_blocks * room.f_frsize),
    )


def processes(group_path: str, *, root: Path = CGROUPS) -> frozenset[int]:
    """Return the processes of a container, by the path that ``read`` found."""
    version_1 = (root / cgroup.MEMORY).is_dir()
    text = _text(root / (cgroup.MEMORY if version_1 else "") / group_path[1:] / "cgroup.procs")
    return frozenset(int(line) for line in (text or "").split())


def network_bytes(net_dev: str) -> tuple[int, int] | None:
    """Return (received, sent) of all interfaces but the loopback; None where there is no other."""
    found = []
    for line in net_dev.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if name.strip() != LOOPBACK and len(fields) >= 9:
            found.append((int(fields[0]), int(fields[8])))
    if not found:
        return None
    return sum(received for received, _ in found), sum(sent for _, sent in found)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
