"""This will collect what the machine has: a claim that validators check."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from miner_agent.clock import Clock
from miner_agent.engine import EngineFacts
from miner_agent.facts.gpus import read_gpus
from protocol.hardware import Hardware

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
OS_RELEASE = Path("/etc/os-release")
#: part of the free disk that is offered where the host does not say how much
DISK_PERCENT = 80


def read_hardware(
    *,
    engine: EngineFacts,
    cores: Sequence[int],
    memory_bytes: int,
    disk_bytes: int,
    clock: Clock,
    gpu_slots: int = 1,
) -> Hardware:
    """Return what this machine offers now; what the host keeps for himself is left out."""
    return Hardware(
        hostname=platform.node()[:200],
        os=os_name(OS_RELEASE.read_text() if OS_RELEASE.exists() else ""),
        kernel=platform.release()[:200],
        boot_id=clock.boot_id(),
        cpu_model=cpu_model(CPU_INFO.read_text()),
        cpus=len(cores),
        memory_bytes=memory_bytes,
        disk_bytes=disk_bytes,
        docker_version=engine.version[:200],
        storage_driver=engine.storage_driver[:200],
        gpus=read_gpus(slots=gpu_slots),
    )


def usable_cores() -> tuple[int, ...]:
    """Return the numbers of the CPU cores that this process may use."""
    return tuple(sorted(os.sched_getaffinity(0)))


def free_disk_bytes(directory: str) -> int:
    """Return the part of the free space that can be offered: whole GiB of 80 %."""
    path = Path(directory)
    while not path.exists():
        path = path.parent
    room = os.statvfs(path)
    return (room.f_bavail * room.f_frsize * DISK_PERCENT // 100) >> 30 << 30


def os_name(os_release: str) -> str:
    """Return PRETTY_NAME of an os-release file."""
    for line in os_release.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip("\"'")[:200]
    return "Linux"


def cpu_model(cpu_info: str) -> str:
    """Return the processor's name from /proc/cpuinfo."""
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Hardware", "Model"):
            return " ".join(value.split())[:200]
    return platform.machine()


def memory_bytes(memory_info: str) -> int:
    """Return MemTotal of /proc/meminfo in bytes."""
    for line in memory_info.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0
