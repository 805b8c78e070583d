"""This will judge the machine itself: kernel, clock, memory, room, rights."""

import re

from miner_agent.domain.findings import Finding

KERNEL_LEAST = (5, 4)
GIB = 1 << 30
MEMORY_LEAST = 2 * GIB
ROOM_LEAST = 10 * GIB
OFFERED_LEAST = GIB // 2
INODES_FREE_PERCENT = 5
INOTIFY_LEAST = {"max_user_instances": 512, "max_user_watches": 65_536}
OTHERS = 0o077
WRITERS = 0o022


def kernel(release: str) -> Finding:
    """Judge the kernel's version."""
    match = re.match(r"(\d+)\.(\d+)", release)
    passed = match is not None and (int(match[1]), int(match[2])) >= KERNEL_LEAST
    return Finding(
        id="kernel",
        passed=passed,
        actual=f"The kernel is {release}.",
        required="5.4 or later",
        why="Limits and fences of rentals are the kernel's own.",
        fix="Boot a later kernel.",
        needed=False,
    )


def clock(*, synchronised: bool | None) -> Finding:
    """Judge whether somebody keeps the clock right; None: nobody can tell."""
    passed = synchronised is not False
    return Finding(
        id="clock",
        passed=passed,
        actual=(
            "The clock is kept right."
            if synchronised
            else "Nobody can tell whether the clock is kept right."
            if passed
            else "Nobody keeps this machine's clock right."
        ),
        required="synchronised (NTP)",
        why="The marketplace refuses what is signed at a wrong time.",
        fix="Install chrony or turn on systemd-timesyncd.",
        needed=False,
    )


def memory(total_bytes: int) -> Finding:
    """Judge how much memory there is."""
    return Finding(
        id="memory",
        passed=total_bytes >= MEMORY_LEAST,
        actual=f"There are {total_bytes / GIB:.1f} GiB of memory.",
        required="at least 2 GiB",
        why="The system, Docker and the agent need some of it themselves.",
        fix="Add memory.",
        needed=False,
    )


def room(*, free_bytes: int, where: str) -> Finding:
    """Judge the room on the disk of images."""
    return Finding(
        id="disk-space",
        passed=free_bytes >= ROOM_LEAST,
        actual=f"{free_bytes / GIB:.1f} GiB are free at {where}.",
        required="at least 10 GiB",
        why="Images are kept there, and a full disk stops Docker.",
        fix="Free some, or move Docker's data to a larger disk.",
        needed=False,
    )


def set_aside(*, asked_bytes: int, used_bytes: int, free_bytes: int, where: str) -> Finding:
    """Judge whether the disk holds what the host has set aside for placements."""
    lacking = asked_bytes - used_bytes - free_bytes
    return Finding(
        id="disk-set-aside",
        passed=lacking <= 0,
        actual=(
            f"{asked_bytes / GIB:.1f} GiB are set aside for rentals at {where},"
            f" {used_bytes / GIB:.1f} GiB of them are in use and {free_bytes / GIB:.1f} GiB free."
        ),
        required="as much room as was set aside",
        why="A rental that was sold and has no room cannot start.",
        fix="Free some, or lower BERTH_AGENT_DISK_BYTES.",
        needed=False,
    )


def inodes(*, free: int, total: int, where: str) -> Finding:
    """Judge whether there is room for more files; file systems without a table have no total."""
    percent = 100 * free // total if total else 100
    return Finding(
        id="inodes",
        passed=percent >= INODES_FREE_PERCENT,
        actual=f"{percent} % of the inodes at {where} are free.",
        required=f"at least {INODES_FREE_PERCENT} %",
        why="Images are many small files.",
        fix="Remove files, or move Docker's data to another file system.",
        needed=False,
    )


def inotify(found: dict[str, int]) -> Finding:
    """Judge how many files can be watched; a limit that is not there is no limit."""
    low = [name for name, least in INOTIFY_LEAST.items() if found.get(name, least) < least]
    return Finding(
        id="inotify",
        passed=not low,
        actual=(
            f"fs.inotify.{low[0]} is {found[low[0]]}." if low else "Enough files can be watched."
        ),
        required=", ".join(f"{name} {least}" for name, least in INOTIFY_LEAST.items()),
        why="All rentals share these, and editors stop working without them.",
        fix="" if not low else f"Run: sysctl -w fs.inotify.{low[0]}={INOTIFY_LEAST[low[0]]}",
        needed=False,
    )


def offered(*, cores: int, cores_kept: int, memory_bytes: int, kept_bytes: int) -> Finding:
    """Judge what is left for renters after what the host keeps."""
    passed = cores > 0 and memory_bytes >= OFFERED_LEAST
    return Finding(
        id="offered",
        passed=passed,
        actual=(
            f"{max(0, cores)} cores and {memory_bytes / GIB:.1f} GiB of memory are offered;"
            f" {cores_kept} cores and {kept_bytes / GIB:.1f} GiB are kept for this machine."
        ),
        required="at least one core and half a GiB to offer",
        why="A machine that offers nothing is not rented.",
        fix="Lower BERTH_AGENT_KEEP_CPUS or BERTH_AGENT_KEEP_MEMORY_BYTES.",
    )


def loops(*, there: bool, needed: bool) -> Finding:
    """Judge whether files can be mounted as disks."""
    return Finding(
        id="loop-devices",
        passed=there,
        actual=f"There {'are' if there else 'are no'} loop devices.",
        required="/dev/loop-control",
        why="Each rental's disk is a file of its size.",
        fix="Load the kernel module: modprobe loop",
        needed=needed,
    )


def home(*, mode: int | None, key_mode: int | None, where: str) -> Finding:
    """Judge who else may read or write what the agent keeps; None: it is not there yet."""
    wrong = []
    if mode is not None and mode & WRITERS:
        wrong.append(f"others may write in {where}")
    if key_mode is not None and key_mode & OTHERS:
        wrong.append("others may read the machine's key")
    return Finding(
        id="home",
        passed=not wrong,
        actual=(
            f"On this machine {' and '.join(wrong)}." if wrong else f"{where} is the agent's alone."
        ),
        required="nobody else writes there, and the key is mode 0600",
        why="Whoever has the key is this machine.",
        fix=f"Run: chmod go-w {where}; chmod 600 {where}/machine_key",
    )
