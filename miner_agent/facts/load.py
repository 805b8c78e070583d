"""This will read how the whole machine is doing."""

import os
from collections.abc import Sequence
from pathlib import Path

from protocol.usage import CardUsage, MachineUsage

LOAD = Path("/proc/loadavg")
MEMORY = Path("/proc/meminfo")


def read_machine(*, disk: Path, cards: Sequence[CardUsage] = ()) -> MachineUsage:
    """Return load, memory and room; ``disk`` is a path on the disk that placements are kept on."""
    total, available = memory(MEMORY.read_text())
    room = os.statvfs(disk)
    return MachineUsage(
        load_milli=load_milli(LOAD.read_text()),
        memory_used_bytes=max(0, total - available),
        memory_bytes=total,
        disk_used_bytes=(room.f_blocks - room.f_bavail) * room.f_frsize,
        disk_bytes=room.f_blocks * room.f_frsize,
        cards=tuple(cards),
    )


def load_milli(load_average: str) -> int:
    """Return the load of the last minute in thousandths."""
    whole, _, part = load_average.split()[0].partition(".")
    return int(whole) * 1000 + int(part.ljust(3, "0")[:3])


def memory(memory_info: str) -> tuple[int, int]:
    """Return (all, available) of /proc/meminfo in bytes."""
    found = {"MemTotal": 0, "MemAvailable": 0}
    for line in memory_info.splitlines():
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) * 1024
    return found["MemTotal"], found["MemAvailable"]
