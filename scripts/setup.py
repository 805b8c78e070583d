#!/usr/bin/env python3
"""This will install what is missing; it runs before there is a virtual environment."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.system_packages import missing_packages

TREE = Path(__file__).resolve().parents[1]
VENV = TREE / ".venv"
STAMP = VENV / ".berth-setup"
PINS = TREE / "requirements" / "dev.txt"
POLICY = Path("/usr/sbin/policy-rc.d")


class Refused(Exception):
    """Set-up can't go on; the message tells the person what to do."""


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
    except subprocess.CalledProcessError as failed:
        print(f"Set-up stopped: {' '.join(failed.cmd[:4])} … failed.", file=sys.stderr)
        return 1
    return 0


def print_plan() -> None:
    """Say what :func:`set_up` would install, and change nothing."""
    packages = missing_packages()
    print("Debian packages to install:", " ".join(packages) or "none, all are there")
    if is_stamped():
        print("Python packages to install: none, .venv is up to date")
        return
    print(f"Python packages to install into {VENV.name}/:")
    for line in PINS.read_text().splitlines():
        if "==" in line:
            print(f"  {line.split()[0]}")


def set_up() -> None:
    """Bring the system packages and ``.venv`` to what this tree asks for; instant when they are.

    :raises Refused: when a system package is missing and may not be installed here.
    """
    packages = missing_packages()
    if packages:
        install_packages(packages)
    if not is_stamped():
        install_python_packages()
        STAMP.write_text(fingerprint())


def install_packages(packages: Sequence[str]) -> None:
    """Install Debian packages without starting any service they bring.

    :raises Refused: without root or without apt-get, naming what a person has to install.
    """
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Refused(
            "Please install these first, or run this as root on Debian: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing {len(packages)} Debian packages: {' '.join(packages)}", flush=True)
    ours = forbid_service_starts()
    try:
        # A stale list is enough when the network has gone: the install itself decides.
        subprocess.run(["apt-get", "-qq", "update"], env=environment, check=False)
        install = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages]
        subprocess.run(install, env=environment, check=True)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
    still_missing = missing_packages()
    if still_missing:
        raise Refused(f"These are still missing after apt-get: {' '.join(still_missing)}")


def forbid_service_starts() -> bool:
    """Keep Debian from starting the servers that packages bring; True where this call did it."""
    if POLICY.exists():
        return False
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    return True


def install_python_packages() -> None:
    """Make ``.venv`` where there is none and install the pinned packages and this tree into it."""
    python = VENV / "bin" / "python"
    if not python.exists():
        print("Making .venv", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    count = PINS.read_text().count("==")
    print(f"Installing {count} pinned Python packages into .venv", flush=True)
    subprocess.run([*pip, "--require-hashes", "--requirement", str(PINS)], check=True)
    # Building in a copy would look for the build tool in the network; it is among the pins.
    with tempfile.TemporaryDirectory() as scratch:
        own = [*pip, "--no-deps", "--no-build-isolation", "--editable", str(TREE)]
        subprocess.run(own, check=True, env={**os.environ, "TMPDIR": scratch})


def is_stamped() -> bool:
    """Say whether ``.venv`` was made from exactly this tree's pins."""
    return STAMP.exists() and STAMP.read_text() == fingerprint()


def fingerprint() -> str:
    """Return what the contents of ``.venv`` depend on."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for path in (PINS, TREE / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
