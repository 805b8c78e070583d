#!/usr/bin/env python3
"""This will run a command with a private PostgreSQL server and stop the server after it.

``scripts/with_postgresql.py pytest tests/marketplace`` sets BERTH_DATABASE_URL for the command. The
server listens on a Unix socket in a temporary folder only, and its data goes with the folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

PROGRAMS = Path("/usr/lib/postgresql")
USER = "postgres"
DATABASE = "berth"
START_TIMEOUT_S = 60
#: the data is thrown away, so a crash may lose it; locking and isolation stay as in production
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


def main(command: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    if not command:
        sys.stderr.write("Give the command to run.\n")
        return 2
    # A plain termination and a closed terminal must stop the server too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    with server() as url:
        return subprocess.run(command, env=_environment(url), check=False).returncode


@contextmanager
def server() -> Iterator[str]:
    """Yield the address of a fresh server's database."""
    programs = folder_of_programs()
    folder = Path(tempfile.mkdtemp(prefix="berth-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    try:
        data = folder / "data"
        _run(programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        with (data / "postgresql.conf").open("a") as handle:
            handle.write(_configuration(folder))
        control = (programs / "pg_ctl", "-D", data, "-w", "-t", START_TIMEOUT_S)
        _run(*control, "-l", folder / "log", "start")
        try:
            _run(programs / "createdb", "-h", folder, "-U", USER, DATABASE)
            yield f"postgres://{USER}@/{DATABASE}?{urlencode({'host': str(folder)})}"
        finally:
            _run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(url: str) -> dict[str, str]:
    """Return our own environment with the address; it says elsewhere whether this is production."""
    # Enough connections that every thread of a race has one at the same moment.
    plain = {"BERTH_EMBEDDED": "1", "BERTH_DATABASE_CONNECTIONS": "100"}
    return plain | os.environ | {"BERTH_DATABASE_URL": url}


def folder_of_programs() -> Path:
    """Return where the newest PostgreSQL's programs are."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise SystemExit("PostgreSQL is missing; `make setup` installs it.")
    return found[-1].parent


def _configuration(folder: Path) -> str:
    settings = SETTINGS | {"unix_socket_directories": str(folder)}
    return "".join(f"{name} = '{value}'\n" for name, value in settings.items())


def _run(*command: object) -> None:
    """Run a PostgreSQL program quietly, as its own user when we are root: it refuses root."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["runuser", "-u", USER, "--", *words]
    # pg_ctl's server inherits its output: a pipe here would never end.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            words, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
        if done.returncode:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            raise SystemExit(f"{words[0] if os.geteuid() else words[4]} failed.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
