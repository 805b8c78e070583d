"""This will know which version of the agent the service runs, and which one before it is kept."""

import sys
from pathlib import Path

#: links to versions: what the service runs; while that is on trial, what it ran before
CURRENT, FORMER = "current", "former"
#: as many bytes as the version on trial was started
STARTS = "starts"


def named(root: Path, link: str = CURRENT) -> Path | None:
    """Return the version that a link names, None where there is no such link."""
    path = root / link
    return path.resolve() if path.is_symlink() else None


def name(root: Path, version: Path, link: str = CURRENT) -> None:
    """Let a link name this version. In one step: whoever looks finds this one or the one before."""
    part = root / f"{link}.part"
    part.unlink(missing_ok=True)
    part.symlink_to(Path("versions") / version.name)
    part.replace(root / link)


def try_out(root: Path, version: Path, old: Path | None) -> None:
    """Let the service run this version from its next start on, and the old one if it cannot."""
    if old is not None:
        (root / STARTS).unlink(missing_ok=True)
        name(root, old, FORMER)
    name(root, version)


def end_trial(root: Path) -> None:
    """Let what the service runs be what it runs for good."""
    (root / FORMER).unlink(missing_ok=True)
    (root / STARTS).unlink(missing_ok=True)


def passed(prefix: str = sys.prefix) -> None:
    """Note that the program installed in ``prefix`` works, if it is what is on trial."""
    version = Path(prefix).resolve()
    root = version.parent.parent
    if named(root, FORMER) is not None and named(root) == version:
        end_trial(root)
