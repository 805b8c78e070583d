"""This will widen the kernel's tables that all rentals of a machine share.

They are counted for the whole machine, or for a user that every rental's root is. What fills them
is each rental's own memory, which ends first once they are wide.
"""

from collections.abc import Mapping
from pathlib import Path

#: name below /proc/sys -> the least that lets one rental not use it up for all
LEAST = {
    "fs/inotify/max_user_instances": 1 << 20,
    "fs/inotify/max_user_watches": 1 << 24,
    "kernel/pty/max": 1 << 20,
    "fs/aio-max-nr": 1 << 26,
}
SETTINGS = Path("/proc/sys")


def narrow(settings: Path = SETTINGS) -> Mapping[str, int]:
    """Return each table that is too narrow and how wide it is; what this kernel lacks is fine."""
    found = {name: settings / name for name in LEAST if (settings / name).exists()}
    widths = {name: int(path.read_text()) for name, path in found.items()}
    return {name: width for name, width in widths.items() if width < LEAST[name]}


def widen(settings: Path = SETTINGS) -> Mapping[str, int]:
    """Widen what is too narrow and return how wide it was.

    What this process may not widen stays; :func:`missing` says so.
    """
    before = narrow(settings)
    write({name: LEAST[name] for name in before}, settings)
    return before


def write(widths: Mapping[str, int], settings: Path = SETTINGS) -> None:
    """Make these tables so wide, as far as this process may."""
    for name, width in widths.items():
        try:
            (settings / name).write_text(str(width))
        except OSError:
            continue


def missing(settings: Path = SETTINGS) -> tuple[str, ...]:
    """Return what has to be done, each in a few words."""
    return tuple(f"sysctl -w {name.replace('/', '.')}={LEAST[name]}" for name in narrow(settings))
