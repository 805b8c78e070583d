"""This will tell how much processor time whole process trees have used."""

import os
from pathlib import Path

TICKS_S = os.sysconf("SC_CLK_TCK")


def used_s(root_pid: int) -> float:
    """Return the seconds that a process and its descendants, also those that ended, have used."""
    total = 0
    for pid in _tree(root_pid):
        fields = _stat(pid)
        # utime and stime of its own, cutime and cstime of children that ended.
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS_S


def _tree(root_pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, left = [], [root_pid]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields after the name, from the state on; empty: it ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
