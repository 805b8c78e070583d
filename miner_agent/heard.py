"""This will note which installation of the agent last heard its marketplace."""

import sys
from pathlib import Path

from miner_agent.keys import write_whole

NOTE = "heard_by"


def note(home: Path, prefix: str = sys.prefix) -> None:
    """Note that the program installed in ``prefix`` has heard the marketplace."""
    program = str(Path(prefix).resolve())
    # Once: this is called after every sync.
    if by(home) != program:
        write_whole(home / NOTE, program, 0o600)


def by(home: Path) -> str:
    """Return the folder of the installation that heard it last, empty where none did."""
    path = home / NOTE
    return path.read_text() if path.exists() else ""
