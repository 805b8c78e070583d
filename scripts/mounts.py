"""This will find and undo the mounts below a folder."""

import subprocess
from pathlib import Path


def below(folder: Path) -> list[Path]:
    """Return the mount points in ``folder``, the deepest first."""
    root = folder.resolve()
    points = [
        Path(line.split()[4].replace("\\040", " "))
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    inside = [point for point in points if point == root or root in point.parents]
    return sorted(inside, key=lambda point: len(point.parts), reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmount everything in ``folder``; what is busy is detached."""
    for point in below(folder):
        subprocess.run(["umount", "--lazy", str(point)], check=False, timeout=20)
