"""This will keep a little room on the disk of the agent's home, for a start on a full one.

SQLite has to write before it reads: without it a machine that restarts on a full disk could neither
start what ran nor say why.
"""

import logging
import os
import shutil
from pathlib import Path

NAME, SIZE_BYTES = "reserve", 1 << 20
#: with less than this the machine takes nothing new, and says so
ROOM_BYTES_LEAST = 64 << 20

logger = logging.getLogger(__name__)


def room_bytes(home: Path) -> int:
    """Return what the disk of the agent's home still takes."""
    return shutil.disk_usage(home).free


def keep(home: Path) -> None:
    """Reserve the room, again where it was used and there is enough by now."""
    path = home / NAME
    if path.exists() or room_bytes(home) < ROOM_BYTES_LEAST:
        return
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, SIZE_BYTES)


def use(home: Path) -> None:
    """Give the room to whatever has to be written now."""
    (home / NAME).unlink(missing_ok=True)
    logger.warning("disk is full", extra={"detail": f"{home} has {room_bytes(home)} bytes left"})
