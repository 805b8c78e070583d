"""This will judge Docker Engine by what it says about itself."""

import re
from collections.abc import Collection, Mapping, Sequence

from miner_agent.domain.findings import Finding
from miner_agent.domain.runc import open_holes

VERSION_LEAST = (20, 10)
#: what holds a rental to its share; without one of them it takes what it wants
LIMITS = {"MemoryLimit": "memory", "CPUSet": "cores", "PidsLimit": "processes"}
OPEN_FILES_LEAST = 4096
LOG_DRIVER = "json-file"


def version(told: str) -> Finding:
    """Judge Docker's own version."""
    match = re.match(r"(\d+)\.(\d+)", told)
    passed = match is not None and (int(match[1]), int(match[2])) >= VERSION_LEAST
    return Finding(
        id="docker-version",
        passed=passed,
        actual=f"Docker Engine is version {told or 'unknown'}.",
        required="20.10 or later",
        why="Older ones do not know options that keep rentals apart.",
        fix="Install a later Docker Engine.",
    )


def limits(info: Mapping[str, object]) -> Finding:
    """Judge whether the kernel's limits can be used."""
    lacking = [word for name, word in LIMITS.items() if not info.get(name)]
    return Finding(
        id="limits",
        passed=not lacking,
        actual=(
            f"Docker cannot limit {', '.join(lacking)}."
            if lacking
            else f"Limits of {', '.join(LIMITS.values())} hold"
            f" (cgroup v{info.get('CgroupVersion') or '1'})."
        ),
        required="cgroup controllers memory, cpuset and pids",
        why="One rental could take what another one pays for.",
        fix="Enable these cgroup controllers at the kernel's command line.",
    )


def swap_limit(info: Mapping[str, object], *, swap_bytes: int) -> Finding:
    """Judge whether a rental's memory limit also holds for swap."""
    passed = bool(info.get("SwapLimit")) or swap_bytes == 0
    return Finding(
        id="swap",
        passed=passed,
        actual=(
            "Swap counts as memory of the rental, or there is none."
            if passed
            else "Rentals can use this machine's swap beyond their memory."
        ),
        required="no swap, or swap accounting",
        why="A rental that swaps slows down all others.",
        fix="Turn swap off (swapoff -a), or boot with swapaccount=1.",
        needed=False,
    )


def live_restore(info: Mapping[str, object]) -> Finding:
    """Judge whether rentals outlive Docker's own restart."""
    passed = bool(info.get("LiveRestoreEnabled"))
    return Finding(
        id="live-restore",
        passed=passed,
        actual=f"Docker's live-restore is {'on' if passed else 'off'}.",
        required="on",
        why="Otherwise every update of Docker ends every rental, at your cost.",
        fix='Add "live-restore": true to /etc/docker/daemon.json and reload Docker.',
        needed=False,
    )


def seccomp(info: Mapping[str, object], *, needed: bool) -> Finding:
    """Judge whether system calls are filtered."""
    passed = any("name=seccomp" in str(one) for one in _list(info.get("SecurityOptions")))
    return Finding(
        id="seccomp",
        passed=passed,
        actual=f"Docker {'filters' if passed else 'does not filter'} system calls.",
        required="seccomp in kernel and Docker",
        why="Without it a rental may ask the kernel for things that no rental needs.",
        fix="Use a kernel and a Docker Engine that were built with seccomp.",
        needed=needed,
        isolates=True,
    )


def log_driver(info: Mapping[str, object]) -> Finding:
    """Judge whether logs of rentals can be capped."""
    plugins = info.get("Plugins")
    known = _list(plugins.get("Log")) if isinstance(plugins, Mapping) else ()
    passed = LOG_DRIVER in known
    return Finding(
        id="log-driver",
        passed=passed,
        actual=f"Docker {'has' if passed else 'lacks'} the log driver {LOG_DRIVER}.",
        required=LOG_DRIVER,
        why="The agent caps each rental's log with it.",
        fix="Use a Docker Engine with this log driver.",
    )


def open_files(most: int) -> Finding:
    """Judge how many files a rental may open."""
    return Finding(
        id="open-files",
        passed=most >= OPEN_FILES_LEAST,
        actual=f"A rental may open {most} files.",
        required=f"at least {OPEN_FILES_LEAST}",
        why="Databases and data loaders need that many.",
        fix="Raise the hard limit of open files (LimitNOFILE) of Docker and of the agent.",
        needed=False,
    )


def backing(info: Mapping[str, object]) -> Finding:
    """Judge what is below Docker's files."""
    told = {str(pair[0]): str(pair[1]) for pair in _list(info.get("DriverStatus")) if len(pair) > 1}
    kind = told.get("Backing Filesystem", "")
    passed = told.get("Supports d_type", "true") == "true"
    return Finding(
        id="backing-filesystem",
        passed=passed,
        actual=f"Docker's files are on {kind or 'an unknown file system'}.",
        required="a file system with d_type: ext4, or xfs made with ftype=1",
        why="Without it, files that a rental deletes come back.",
        fix="Move Docker's data to another file system.",
    )


def runc(told: str) -> Finding:
    """Judge the release of runc that starts containers."""
    holes = open_holes(told)
    return Finding(
        id="runc",
        passed=not holes,
        actual=(
            f"runc {told} is older than the release that closes {', '.join(holes)}:"
            if holes
            else f"No known hole of runc {told} is open."
        ),
        required="a release without known ways out of a container",
        why="Whoever finds the way out is root on this machine.",
        fix="see whether your distribution has mended its package.",
        needed=False,
    )


def other_agents(names: Collection[str]) -> Finding:
    """Judge whether this machine is shared with another agent; ``names`` are the others'."""
    return Finding(
        id="other-agents",
        passed=not names,
        actual=(
            f"Another agent has networks or containers here: {', '.join(sorted(names))}."
            if names
            else "No other agent has anything here."
        ),
        required="one agent on a machine",
        why="Two agents sell the same cores, memory and GPUs twice.",
        fix="Stop the other one and run its uninstall.",
        needed=False,
    )


def _list(value: object) -> Sequence[Sequence[object]]:
    return value if isinstance(value, list | tuple) else ()
