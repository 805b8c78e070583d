"""This will be what a marketplace's own script runs: the agent onto this machine, and enrolled.

It runs from the package itself, before anything of it is installed: all that it loads is of the
standard library.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from miner_agent.asking import enrolment_token
from miner_agent.outward import address_towards
from miner_agent.packaging.install import (
    NAME_CHARACTERS,
    InstallFailed,
    Package,
    Wishes,
    install,
)
from miner_agent.packaging.shells import LocalShell, StepFailed
from miner_agent.packaging.steps import SLOW_S, UNIT, Places
from protocol.address import is_private

LOCK = "/run/berth-install.lock"
TOLD = re.compile(r"^(machine|marketplace|address) {2,}(\S+)$", re.MULTILINE)
#: of ``berth-agent check``: what keeps the agent from its work, and the line that says why
FAULT = re.compile(r"^FAIL  .*(?:\n {6}.*)*", re.MULTILINE)
LOOK_S = 120


def main(
    arguments: Sequence[str] | None = None, *, root: str = "", systemctl: str = "systemctl"
) -> int:
    """Install, enrol with the token that is read, and say how it goes on; return the status."""
    options = _parser().parse_args(arguments)
    version = hashlib.sha256(options.wheel.read_bytes()).hexdigest()[:NAME_CHARACTERS]
    places = Places(work="", version=version, root=root, systemctl=systemctl)
    try:
        with _alone(Path(f"{root}{LOCK}")):
            _perform(LocalShell(), places, options)
    except (InstallFailed, StepFailed) as error:
        sys.stderr.write(f"berth: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("berth: It was interrupted. The same line goes on.\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install", description="Installs the agent here.")
    parser.add_argument("--wheel", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--requirements", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--marketplace", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--public-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--address", help="this machine's public address or name, for renters")
    parser.add_argument(
        "--configure-docker",
        action="store_true",
        help="add what is missing to Docker's settings, though it has containers or images",
    )
    return parser


def _perform(shell: LocalShell, places: Places, options: argparse.Namespace) -> None:
    served = _served(shell, places)
    if served:
        _renew(shell, places, served, options)
        return
    _refuse_private(shell, places, options)
    token = enrolment_token()
    address = ("--address", options.address) if options.address else ()
    wishes = Wishes(
        configure_docker=options.configure_docker or _docker_is_unused(shell),
        enrol=("--url", options.marketplace, *address) if token else (),
        token=token,
    )
    package = Package(options.wheel, options.requirements)
    install(shell, package, wishes, tell=_tell, root=places.root, systemctl=places.systemctl)
    if token:
        _say_what_comes(shell, places, options.marketplace)
    else:
        _tell(f"Installed, and nobody's yet. Make a token on {options.marketplace}/host/, then:")
        _tell(f"  berth-agent enroll --url {options.marketplace} && systemctl start berth-agent")


def _renew(
    shell: LocalShell, places: Places, served: Mapping[str, str], options: argparse.Namespace
) -> None:
    """Bring a machine that serves to this release; its rentals run on, and no token is used.

    :raises InstallFailed: when it serves another marketplace, or the new release does not work.
    """
    there = served["marketplace"]
    if there != options.marketplace:
        stop = "to leave that, 'systemctl stop berth-agent', and then the same line."
        raise InstallFailed(f"Nothing was changed: this machine serves {there}; {stop}")
    current = f"{places.program}/current"
    if os.path.realpath(current) == os.path.realpath(f"{places.program}/versions/{places.version}"):
        _tell("This release runs here already; nothing was changed.")
    else:
        _tell("An older release runs here; it is upgraded, and rentals run on.")
        files = shlex.join((str(options.wheel.absolute()), "--requirements"))
        pins = shlex.quote(str(options.requirements.absolute()))
        try:
            _tell(_program(shell, places, f"upgrade {files} {pins}", deadline_s=2 * SLOW_S).strip())
        except StepFailed as error:
            raise InstallFailed(str(error)) from error
    _tell(f"This is machine {served['machine']} of {there}. No token was used.")


def _served(shell: LocalShell, places: Places) -> Mapping[str, str]:
    """Return what the agent that runs here says of itself; empty: none runs."""
    try:
        shell.run(f"{places.systemctl} is-active --quiet {UNIT}", deadline_s=LOOK_S)
        told = _status(shell, places)
    except StepFailed:
        return {}
    return told if told.keys() >= {"machine", "marketplace"} else {}


def _refuse_private(shell: LocalShell, places: Places, options: argparse.Namespace) -> None:
    """Say at once what the marketplace would say after all was installed.

    :raises InstallFailed: when renters could not reach this machine.
    """
    if not options.public_only:
        return
    host = str(urlsplit(options.marketplace).hostname)
    said = shell.run(f'{_settings(places)}\necho "${{BERTH_AGENT_ADDRESS-}}"', deadline_s=LOOK_S)
    try:
        address = options.address or said.strip() or address_towards(host)
    except OSError as error:
        message = f"Nothing was changed: there is no way to {host}: {error}"
        raise InstallFailed(message) from error
    if is_private(address):
        raise InstallFailed(
            f"Nothing was changed: renters cannot reach {address} over the internet. Name this"
            " machine's public address: the same line, and after it: install --address ADDRESS"
        )


def _docker_is_unused(shell: LocalShell) -> bool:
    """Say whether other settings would hide nothing: Docker keeps what it has made before apart."""
    look = 'command -v docker >/dev/null || exit 0\nall="$(docker ps -aq && docker image ls -aq)"'
    try:
        shell.run(f'{look}\ntest -z "$all"', deadline_s=LOOK_S)
    except StepFailed:
        return False
    return True


def _say_what_comes(shell: LocalShell, places: Places, marketplace: str) -> None:
    told = _status(shell, places)
    machine = told.get("machine", "")
    _tell(f"This is machine {machine} of {marketplace}. Renters are given {told.get('address')}.")
    faults = FAULT.findall(_program(shell, places, "check || true", deadline_s=LOOK_S))
    if faults:
        _tell("It runs, and cannot be rented before this is mended ('berth-agent check' looks):")
    for fault in faults:
        _tell(fault)
    _tell(f"Set your price now: {marketplace}/host/machines/{machine}/")


def _status(shell: LocalShell, places: Places) -> Mapping[str, str]:
    return dict(TOLD.findall(_program(shell, places, "status", deadline_s=LOOK_S)))


def _program(shell: LocalShell, places: Places, words: str, *, deadline_s: int) -> str:
    program = shlex.quote(f"{places.program}/current/bin/berth-agent")
    return shell.run(f"{_settings(places)}\n{program} {words}", deadline_s=deadline_s)


def _settings(places: Places) -> str:
    """Return what gives a command the settings that the service has."""
    path = shlex.quote(places.environment)
    return f"[ ! -e {path} ] || {{ set -a; . {path}; set +a; }}"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep a second installation out.

    :raises InstallFailed: when one goes on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InstallFailed("Another installation goes on here; wait for its end.") from error
        yield


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
