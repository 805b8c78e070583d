"""This will put the agent on a machine, or leave the machine as it was."""

import hashlib
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from miner_agent.command import CommandFailed, run
from miner_agent.domain import docker_settings
from miner_agent.packaging.shells import Shell, StepFailed
from miner_agent.packaging.steps import ENROLS_WITH, UNIT, Brought, Places, Step, enrol, steps

#: as ``upgrade.py`` names versions
NAME_CHARACTERS = 16
BUILD_S = 300
TREE = Path(__file__).parents[2]
#: also where this runs from a wheel that nobody unpacked
UNIT_FILE = files("miner_agent.packaging") / UNIT
REQUIREMENTS = Path("requirements/agent.txt")


class InstallFailed(Exception):
    """Nothing is installed; the sentence says what failed and what could not be undone."""


@dataclass(frozen=True, slots=True)
class Package:
    """What is installed: a wheel and, pinned with hashes, what it needs."""

    wheel: Path
    requirements: Path | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the host asks for beside the installation itself."""

    #: add what is missing to Docker's settings
    configure_docker: bool = False
    #: arguments of ``berth-agent enroll``; empty: later, by hand
    enrol: tuple[str, ...] = ()
    #: what it reads
    token: str = field(default="", repr=False)


def install(
    shell: Shell,
    package: Package,
    wishes: Wishes,
    *,
    tell: Callable[[str], None],
    root: str = "",
    systemctl: str = "systemctl",
) -> None:
    """Install the agent as a service; a step that fails undoes all that were done.

    :raises InstallFailed: when one did.
    """
    try:
        work = shell.run("mktemp -d /tmp/berth-install.XXXXXX", deadline_s=30).strip()
    except StepFailed as error:
        raise InstallFailed(f"Nothing was changed: {error}") from error
    try:
        # Read once: what its name says is what is installed.
        wheel = package.wheel.read_bytes()
        version = hashlib.sha256(wheel).hexdigest()[:NAME_CHARACTERS]
        places = Places(work=work, version=version, root=root, systemctl=systemctl)
        brought = _bring(shell, package, wheel, places)
        docker = _settle_docker(shell, places, change=wishes.configure_docker, tell=tell)
        planned = steps(places, brought, docker=docker)
        if wishes.enrol:
            shell.put(f"{work}/{ENROLS_WITH}", f"{wishes.token}\n".encode())
            planned += enrol(places, wishes.enrol)
        _perform(shell, planned, tell)
    except (StepFailed, docker_settings.SettingsUnreadable) as error:
        raise InstallFailed(f"Nothing was changed: {error}") from error
    finally:
        _forget(shell, work)


def build(folder: Path) -> Package:
    """Return this very program as a package, made in the folder.

    :raises InstallFailed: when it does not run from its sources.
    """
    if not (TREE / "pyproject.toml").exists():
        raise InstallFailed("Name what to install: --wheel FILE.")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    try:
        run([*command, "--wheel-dir", str(folder), str(TREE)], deadline_s=BUILD_S)
    except CommandFailed as error:
        raise InstallFailed(f"The package could not be made: {error}") from error
    pinned = TREE / REQUIREMENTS
    return Package(next(folder.glob("*.whl")), pinned if pinned.exists() else None)


def package(wheel: Path | None, requirements: Path | None, folder: Path) -> Package:
    """Return what the host named, or this very program."""
    if wheel is None:
        return build(folder)
    for path in (wheel, requirements):
        if path is not None and not path.is_file():
            raise InstallFailed(f"There is no file {path}.")
    return Package(wheel, requirements)


def temporary() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder for ``package``, removed when it is closed."""
    return tempfile.TemporaryDirectory(prefix="berth-wheel-")


def _bring(shell: Shell, package: Package, wheel: bytes, places: Places) -> Brought:
    brought = {package.wheel.name: wheel, UNIT: UNIT_FILE.read_bytes()}
    if package.requirements is not None:
        brought["requirements.txt"] = package.requirements.read_bytes()
    for name, content in brought.items():
        shell.put(f"{places.work}/{name}", content)
    return Brought(
        wheel=package.wheel.name,
        requirements=None if package.requirements is None else "requirements.txt",
    )


def _settle_docker(
    shell: Shell, places: Places, *, change: bool, tell: Callable[[str], None]
) -> bool:
    """Say what Docker's settings lack; return whether a file that has it was brought."""
    path = shlex.quote(places.docker_settings)
    told = shell.run(f"[ ! -e {path} ] || cat {path}", deadline_s=30)
    lacking = docker_settings.missing(told)
    if not lacking:
        return False
    names = ", ".join(lacking)
    if not change:
        tell(f"Docker's settings lack {names}; --configure-docker adds them and keeps the rest.")
        return False
    shell.put(f"{places.work}/daemon.json", docker_settings.merged(told).encode())
    return True


def _perform(shell: Shell, planned: Sequence[Step], tell: Callable[[str], None]) -> None:
    done: list[Step] = []
    for number, step in enumerate(planned, 1):
        began = time.monotonic()
        # Noted before it is tried: what was done of half a step is undone too.
        done.append(step)
        try:
            shell.run(step.do, deadline_s=step.deadline_s)
        except (StepFailed, KeyboardInterrupt) as error:
            tell(f"[{number}/{len(planned)}] {step.title}: failed")
            left = _undo(shell, done, tell)
            why = str(error) or "It was interrupted."
            raise InstallFailed(f"{step.title} failed: {why}{left}") from error
        tell(f"[{number}/{len(planned)}] {step.title}: {time.monotonic() - began:.0f} s")


def _undo(shell: Shell, done: Sequence[Step], tell: Callable[[str], None]) -> str:
    """Undo the steps, the last first; return a sentence about those that are still there."""
    left = []
    for step in reversed(done):
        if not step.undo:
            continue
        try:
            shell.run(step.undo, deadline_s=step.deadline_s)
            tell(f"Undone: {step.title}")
        except StepFailed as error:
            left.append(f"{step.title} ({error})")
    return f" Not undone: {'; '.join(left)}." if left else " Everything was undone."


def _forget(shell: Shell, work: str) -> None:
    """Remove what was brought along, as far as the machine still answers."""
    try:
        shell.run(f"rm -rf {shlex.quote(work)}", deadline_s=30)
    except StepFailed:
        return
