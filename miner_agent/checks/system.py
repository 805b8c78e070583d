"""This will look at kernel, clock, memory, room and rights."""

import ctypes
import os
import platform
import stat
from pathlib import Path

from miner_agent import facts
from miner_agent.domain.findings import Finding, system
from miner_agent.machine import Machine

INOTIFY = Path("/proc/sys/fs/inotify")
LOOP_CONTROL = Path("/dev/loop-control")
#: bytes of the kernel's struct timex, with room to spare, and where its status is
TIMEX_BYTES, TIMEX_STATUS_AT = 512, 40
#: of that status: nobody keeps the clock right
UNSYNCHRONISED = 0x40


def look(machine: Machine, *, docker_root: str) -> tuple[Finding, ...]:
    """Return what the machine itself comes to; ``docker_root`` is empty where nobody knows."""
    return (
        system.kernel(platform.release()),
        system.clock(synchronised=is_synchronised()),
        system.memory(facts.memory_bytes(facts.MEMORY_INFO.read_text())),
        system.offered(
            cores=len(machine.cores()),
            cores_kept=machine.settings.keep_cpus,
            memory_bytes=machine.memory_bytes(),
            kept_bytes=machine.settings.keep_memory_bytes,
        ),
        system.inotify(_inotify()),
        system.loops(there=LOOP_CONTROL.exists(), needed=not machine.settings.allow_unisolated),
        _home(machine),
        *_room(machine, docker_root),
    )


def is_synchronised() -> bool | None:
    """Say whether somebody keeps the clock right; None where the kernel cannot be asked."""
    told = ctypes.create_string_buffer(TIMEX_BYTES)
    try:
        asked = ctypes.CDLL(None).adjtimex(told)
    except (AttributeError, OSError):
        return None
    if asked < 0:
        return None
    status = int.from_bytes(told.raw[TIMEX_STATUS_AT : TIMEX_STATUS_AT + 4], "little")
    return not status & UNSYNCHRONISED


def _inotify() -> dict[str, int]:
    return {
        path.name: int(path.read_text())
        for path in (INOTIFY.iterdir() if INOTIFY.is_dir() else ())
        if path.name in system.INOTIFY_LEAST
    }


def _home(machine: Machine) -> Finding:
    home, key = machine.settings.home, machine.key_path
    return system.home(mode=_mode(home), key_mode=_mode(key), where=str(home))


def _mode(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


def _room(machine: Machine, docker_root: str) -> list[Finding]:
    home = _existing(machine.settings.home)
    told = machine.settings.disk_bytes
    found = []
    if docker_root and Path(docker_root).exists():
        room = os.statvfs(docker_root)
        free = room.f_bavail * room.f_frsize
        found.append(system.room(free_bytes=free, where=docker_root))
        found.append(system.inodes(free=room.f_favail, total=room.f_files, where=docker_root))
    if told is not None:
        room = os.statvfs(home)
        found.append(
            system.set_aside(
                asked_bytes=told,
                used_bytes=_held(machine.settings.home),
                free_bytes=room.f_bavail * room.f_frsize,
                where=str(home),
            )
        )
    return found


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _held(home: Path) -> int:
    """Return what disks and volumes take in the agent's home."""
    files = (path for folder in home.glob("*/") for path in folder.glob("*.img"))
    return sum(path.stat().st_blocks * 512 for path in files)
