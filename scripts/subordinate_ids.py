"""This will lend Docker a range of users that exist nowhere else, for root of its containers."""

import os
from collections.abc import Sequence
from pathlib import Path

#: whose range it is; both files name the user, the second one lists his groups
USER, GROUP = "nobody", "nogroup"
FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
#: beyond what useradd and systemd-nspawn give away
FIRST, COUNT = 0x71000000, 65_536
LINE = f"{USER}:{FIRST}:{COUNT}"
NAMESPACES_MOST = Path("/proc/sys/user/max_user_namespaces")


def refusal(folder: Path, files: Sequence[Path] = FILES) -> str | None:
    """Return why Docker cannot map users with its data in ``folder``, None where it can."""
    if not NAMESPACES_MOST.exists() or NAMESPACES_MOST.read_text().strip() == "0":
        return "this kernel lets nobody make user namespaces"
    for parent in (folder, *folder.parents):
        # The mapped root is a stranger on the way to his files.
        if parent.exists() and not parent.stat().st_mode & 0o001:
            return f"{parent} is closed to others: `chmod o+x {parent}` would do"
    for file in files:
        if _has_range(file):
            continue
        if any(_overlaps(line) for line in _lines(file)):
            return f"{file} gives the range {FIRST} to somebody else"
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            return f"{file} cannot be written"
    return None


def had(files: Sequence[Path] = FILES) -> list[str]:
    """Return the files in which the user has a range already."""
    return [str(file) for file in files if _has_range(file)]


def add(files: Sequence[Path] = FILES) -> None:
    """Give the user a range in each file where he has none."""
    for file in files:
        if not _has_range(file):
            with file.open("a") as appending:
                appending.write(f"{LINE}\n")


def remove_added(before: Sequence[str], files: Sequence[Path] = FILES) -> None:
    """Take the range away again from the files that are not in ``before``."""
    for file in files:
        lines = _lines(file)
        if str(file) in before or LINE not in lines:
            continue
        kept = "".join(f"{line}\n" for line in lines if line != LINE)
        # In its place: where /etc is made of mounts, nothing can be renamed over it.
        with file.open("r+") as rewriting:
            rewriting.write(kept)
            rewriting.truncate()


def _has_range(file: Path) -> bool:
    return any(line.startswith(f"{USER}:") for line in _lines(file))


def _overlaps(line: str) -> bool:
    parts = line.split(":")
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        return False
    first, count = int(parts[1]), int(parts[2])
    return first < FIRST + COUNT and first + count > FIRST


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
