"""This will put a new version of the agent in place of the running one, or leave that one running.

Each version is a virtual environment of its own in ``versions``; the link ``current`` says which
one the service runs. Rentals do not notice: their containers are Docker's, and their SSH their own.
Killed at any instruction it leaves the old version or one that works: see ``trial.py``.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from miner_agent.command import CommandFailed, run
from miner_agent.packaging.versions import FORMER, end_trial, name, named, try_out

INSTALL_DEADLINE_S = 900
CHECK_DEADLINE_S = 120
#: a new agent that has not heard the marketplace by then is taken back
REPORT_DEADLINE_S = 120
LOOK_EVERY_S = 0.1
NAME_CHARACTERS = 16
#: a version without it was not installed to the end
WHOLE = "installed"


class UpgradeFailed(Exception):
    """The machine runs the version that it ran before, unless the sentence says otherwise."""


@dataclass(frozen=True, slots=True)
class Service:
    """The agent that runs here, as an upgrade has to know it."""

    #: ends the agent that runs and starts the one that ``current`` names
    restart: Callable[[], None]
    #: the folder of the version that last heard the marketplace
    heard_by: Callable[[], str]
    #: whether this version, the old one, could go on with the journal as it is now
    can_go_back: Callable[[], bool]
    deadline_s: float = REPORT_DEADLINE_S


def root_of(prefix: str = sys.prefix) -> Path:
    """Return the folder that holds this program's versions.

    :raises UpgradeFailed: when it was installed in another way.
    """
    version = Path(prefix).resolve()
    root = version.parent.parent
    if version.parent.name != "versions" or named(root) is None:
        message = f"{prefix} is not a version of many; install the agent as docs/hosting.md says."
        raise UpgradeFailed(message)
    return root


def upgrade(root: Path, wheel: Path, service: Service, requirements: Path | None = None) -> Path:
    """Install the wheel beside what runs, check it, switch to it; return its folder.

    ``requirements`` are pinned with their hashes; None: the wheel's own, as pip finds them.

    :raises UpgradeFailed: when it cannot be installed, checked, or does not report in time.
    """
    with _alone(root):
        # An upgrade that was killed has left the one before on trial, and this one decides for it.
        old = named(root, FORMER) or named(root)
        version = install(root, wheel, requirements)
        if version == old == named(root):
            raise UpgradeFailed("This version runs already; nothing was changed.")
        try:
            run([str(version / "bin" / "berth-agent"), "check"], deadline_s=CHECK_DEADLINE_S)
        except CommandFailed as error:
            raise UpgradeFailed(f"The new version does not fit here: {error}") from error
        try_out(root, version, old)
        try:
            service.restart()
            _wait(service, version)
        except (CommandFailed, TimeoutError) as error:
            _take_back(root, old, service, str(error))
        end_trial(root)
        _prune(root, kept={version, old})
        return version


def install(root: Path, wheel: Path, requirements: Path | None = None) -> Path:
    """Return the version made of this wheel, making it where it is missing; nothing runs it yet.

    :raises UpgradeFailed: when Python or pip fails.
    """
    try:
        content = wheel.read_bytes()
        pinned = requirements.read_bytes() if requirements is not None else None
    except OSError as error:
        raise UpgradeFailed(f"The new version cannot be read: {error}") from error
    version = root / "versions" / hashlib.sha256(content).hexdigest()[:NAME_CHARACTERS]
    if (version / WHOLE).exists():
        return version
    shutil.rmtree(version, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", str(version)], deadline_s=INSTALL_DEADLINE_S)
        # Of copies that are ours alone: the files may lie where others can change them meanwhile.
        with tempfile.TemporaryDirectory(dir=root) as folder:
            own = Path(folder) / wheel.name
            own.write_bytes(content)
            if pinned is not None:
                listed = Path(folder) / "requirements.txt"
                listed.write_bytes(pinned)
                _pip(version, "--require-hashes", "--requirement", str(listed))
                _pip(version, "--no-deps", str(own))
            else:
                _pip(version, f"{own}[agent]")
    except CommandFailed as error:
        shutil.rmtree(version, ignore_errors=True)
        raise UpgradeFailed(f"The new version could not be installed: {error}") from error
    (version / WHOLE).touch()
    return version


def first(root: Path, wheel: Path, requirements: Path | None = None) -> Path:
    """Install the first version of this machine and let ``current`` name it."""
    version = install(root, wheel, requirements)
    name(root, version)
    return version


def _pip(version: Path, *what: str) -> None:
    python = str(version / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    run(command, deadline_s=INSTALL_DEADLINE_S)


def _wait(service: Service, version: Path) -> None:
    deadline = time.monotonic() + service.deadline_s
    while Path(service.heard_by()) != version:
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not reach the marketplace within {service.deadline_s:g} s")
        time.sleep(LOOK_EVERY_S)


def _take_back(root: Path, old: Path | None, service: Service, why: str) -> None:
    """Run the old version again.

    :raises UpgradeFailed: always, with what became of it.
    """
    if old is None or not service.can_go_back():
        end_trial(root)
        raise UpgradeFailed(
            f"The new version was started and stays, though {why}: the journal has its form now,"
            " which the old version cannot read. Look at: journalctl -u berth-agent."
        )
    name(root, old)
    try:
        service.restart()
    except CommandFailed as error:
        message = f"The old version is in place again, and does not start: {error}"
        raise UpgradeFailed(message) from error
    end_trial(root)
    raise UpgradeFailed(f"The old version runs again: {why}. Look at: journalctl -u berth-agent.")


def _prune(root: Path, *, kept: set[Path | None]) -> None:
    for version in (root / "versions").iterdir():
        if version.resolve() not in kept:
            shutil.rmtree(version, ignore_errors=True)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep a second upgrade out.

    :raises UpgradeFailed: when one goes on.
    """
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UpgradeFailed("Another upgrade of this machine goes on.") from error
    finally:
        os.close(descriptor)
