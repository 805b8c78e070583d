#!/usr/bin/env python3
"""This will install what is missing; it runs before there is a virtual environment."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# The one file that an older Python reads: it says so instead of failing somewhere below.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Berth needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}.")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import debian
from scripts.debian import Refused
from scripts.lock import locked
from scripts.step import StepFailed, say, step
from scripts.system_packages import PACKAGES, missing_packages

TREE = Path(__file__).resolve().parents[1]
VENV = TREE / ".venv"
STAMP = VENV / ".berth-setup"
PINS = TREE / "requirements" / "dev.txt"
LOG = TREE / ".berth" / "setup.log"
#: of everything together, measured on a Debian that had nothing of it
ROOM_BYTES = 3 << 30
LINES_OF_A_FAILURE = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what is missing, or with ``--print`` only say what that would be."""
    parser = argparse.ArgumentParser(description="Install what Berth needs and is missing.")
    parser.add_argument("--print", action="store_true", dest="only_print")
    options = parser.parse_args(arguments)
    try:
        if options.only_print:
            print_plan()
        else:
            set_up()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except StepFailed as failed:
        print(f"Set-up stopped at: {failed}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Set-up can't write what it must: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up was interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


def print_plan() -> None:
    """Say what :func:`set_up` would install, and change nothing."""
    missing = missing_packages()
    print("Debian packages to install:" if missing else "Debian packages to install: none")
    for package in PACKAGES:
        if package.name in missing:
            print(f"  {package.name:<18} {package.purpose}")
    if is_stamped():
        print("Python packages to install: none, .venv is up to date")
        return
    print(f"Python packages to install into {VENV.name}/:")
    for line in PINS.read_text().splitlines():
        if "==" in line:
            print(f"  {line.split()[0]}")


def set_up() -> None:
    """Bring the system packages and ``.venv`` to what this tree asks for; instant when they are.

    :raises Refused: when something is missing that can't be installed here.
    """
    if not missing_packages() and is_stamped():
        return
    with locked(TREE, while_waiting=_say_that_it_waits):
        _set_up_alone()


def _say_that_it_waits() -> None:
    say("Another set-up runs in this tree; waiting for its end.")


def _set_up_alone() -> None:
    packages = missing_packages()
    if not packages and is_stamped():
        # Whoever was waited for has done it.
        return
    if packages:
        debian.refuse_where_impossible(packages)
    refuse_without_room()
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    if packages:
        with step(f"Install {len(packages)} Debian packages") as tell:
            tell(" ".join(packages))
            debian.install(packages, run)
        still_missing = missing_packages()
        if still_missing:
            raise Refused(f"These are still missing after apt-get: {' '.join(still_missing)}")
    if not is_stamped():
        install_python_packages()
        STAMP.write_text(fingerprint())


def refuse_without_room() -> None:
    """Refuse to begin what a full disk would end.

    :raises Refused: naming what is free and what is needed.
    """
    for folder in (TREE, Path("/var")):
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < ROOM_BYTES:
            free, needed = f"{free_bytes / (1 << 30):.1f} GiB", f"{ROOM_BYTES >> 30} GiB"
            raise Refused(f"Only {free} are free in {folder}; set-up needs {needed}.")


def install_python_packages() -> None:
    """Make ``.venv`` where there is none that fits and install the pins and this tree into it."""
    python = VENV / "bin" / "python"
    if not is_usable(VENV):
        with step("Make .venv"):
            run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install"]
    count = PINS.read_text().count("==")
    with step(f"Install {count} pinned Python packages into .venv"):
        run([*pip, "--require-hashes", "--requirement", str(PINS)])
    # Building in a copy would look for the build tool in the network; it is among the pins.
    with step("Install this tree into .venv"), tempfile.TemporaryDirectory() as scratch:
        own = [*pip, "--no-deps", "--no-build-isolation", "--editable", str(TREE)]
        run(own, {"TMPDIR": scratch})


def is_usable(venv: Path) -> bool:
    """Say whether ``venv`` is whole and of the Python that runs this."""
    library = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return library.is_dir() and all((venv / "bin" / name).exists() for name in ("python", "pip"))


def run(command: Sequence[str], changed: Mapping[str, str] | None = None) -> None:
    """Run one command with its output in the log.

    :raises RuntimeError: with the end of that output, when the command failed.
    """
    with LOG.open("ab") as log:
        begin = log.tell()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(changed or {})},
            check=False,
        )
    if done.returncode:
        wrote = LOG.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
        for line in wrote[-LINES_OF_A_FAILURE:]:
            say(f"      {line}")
        name = command[2] if command[1] == "-m" else Path(command[0]).name
        raise RuntimeError(f"{name} ended with {done.returncode}; its output is in {LOG}")


def is_stamped() -> bool:
    """Say whether ``.venv`` was made from exactly this tree's pins."""
    return is_usable(VENV) and STAMP.exists() and STAMP.read_text() == fingerprint()


def fingerprint() -> str:
    """Return what the contents of ``.venv`` depend on."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for path in (PINS, TREE / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
