"""This will read what the kernel says of a group of processes, in both of its ways.

Version 1 has one tree for each controller, version 2 one tree for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

#: of cgroup v1: the controllers that are asked, and nothing else
CPU, MEMORY = "cpuacct", "memory"
#: reads a file by controller (empty: version 2) and path below it; None where there is none
Read = Callable[[str, str], str | None]


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """What the processes of one container have used and hold."""

    cpu_ms: int
    #: without the file cache that the kernel would give back
    memory_bytes: int
    #: processes that were ended for want of memory; None: this kernel does not count them
    oom_kills: int | None


def paths(proc_cgroup: str) -> dict[str, str]:
    """Return the path of a process by controller; that of version 2 by the empty name."""
    found: dict[str, str] = {}
    for line in proc_cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def usage(path_by_controller: dict[str, str], read: Read) -> GroupUsage | None:
    """Return what a group has used; None where it is not there any more."""
    if MEMORY in path_by_controller:
        return _usage_1(path_by_controller, read)
    return _usage_2(path_by_controller.get("", ""), read)


def field(text: str | None, name: str) -> int | None:
    """Return the number after the name in lines of ``name number``; None where there is none."""
    for line in (text or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdecimal():
            return int(value)
    return None


def _usage_1(path_by_controller: dict[str, str], read: Read) -> GroupUsage | None:
    memory = path_by_controller[MEMORY]
    cpu_ns = _number(read(CPU, f"{path_by_controller.get(CPU, memory)}/cpuacct.usage"))
    held = _number(read(MEMORY, f"{memory}/memory.usage_in_bytes"))
    if cpu_ns is None or held is None:
        return None
    cache = field(read(MEMORY, f"{memory}/memory.stat"), "total_inactive_file") or 0
    kills = field(read(MEMORY, f"{memory}/memory.oom_control"), "oom_kill")
    return GroupUsage(cpu_ns // 1_000_000, max(0, held - cache), kills)


def _usage_2(path: str, read: Read) -> GroupUsage | None:
    cpu_us = field(read("", f"{path}/cpu.stat"), "usage_usec")
    held = _number(read("", f"{path}/memory.current"))
    if cpu_us is None or held is None:
        return None
    cache = field(read("", f"{path}/memory.stat"), "inactive_file") or 0
    kills = field(read("", f"{path}/memory.events"), "oom_kill")
    return GroupUsage(cpu_us // 1000, max(0, held - cache), kills)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None
