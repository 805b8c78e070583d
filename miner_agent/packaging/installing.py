"""This will be the command ``berth-agent install``: here, or on another machine over SSH."""

import argparse
import sys
from pathlib import Path
from typing import Any

from miner_agent.asking import enrolment_token
from miner_agent.machine import Machine
from miner_agent.packaging.install import Wishes, install, package, temporary
from miner_agent.packaging.over_ssh import SshShell, Target
from miner_agent.packaging.shells import LocalShell


def add_parser(commands: Any) -> None:
    """Add the command to a program's parser."""
    parser = commands.add_parser("install", help="install the agent as a service, here or by SSH")
    parser.add_argument(
        "target", nargs="?", help="user@host or user@host:port; default: this machine"
    )
    parser.add_argument("--fingerprint", help="SHA256:... of its host key; default: known_hosts")
    parser.add_argument("--identity", type=Path, help="private key; default: ssh's own, its agent")
    parser.add_argument("--wheel", type=Path, help="what to install; default: made of this program")
    parser.add_argument("--requirements", type=Path, help="pinned packages that the wheel needs")
    parser.add_argument(
        "--configure-docker",
        action="store_true",
        help="add what is missing to Docker's settings; nothing that is there is changed",
    )
    # Not --url and --address: those would be settings of this machine.
    parser.add_argument(
        "--marketplace",
        help="also enrol the machine there, with a one-time token that is read or asked for",
    )
    parser.add_argument("--machine-address", help="where renters reach the machine")
    parser.set_defaults(perform=perform)


def perform(machine: Machine, options: argparse.Namespace) -> int:
    """Install and say how it goes on."""
    wishes = Wishes(
        configure_docker=options.configure_docker,
        enrol=_arguments(options),
        token=enrolment_token() if options.marketplace else "",
    )
    target = None if options.target is None else Target.parse(options.target)
    with temporary() as folder:
        what = package(options.wheel, options.requirements, Path(folder))
        if target is None:
            install(LocalShell(), what, wishes, tell=_tell)
        else:
            identity, fingerprint = options.identity, options.fingerprint
            with SshShell(target, fingerprint=fingerprint, identity=identity) as shell:
                install(shell, what, wishes, tell=_tell)
    _tell("Installed. It runs." if wishes.enrol else "Installed. On the machine, as root:")
    if not wishes.enrol:
        _tell("  berth-agent check")
        _tell("  berth-agent enroll --url URL && systemctl start berth-agent")
    return 0


def _arguments(options: argparse.Namespace) -> tuple[str, ...]:
    if options.marketplace is None:
        return ()
    address = ("--address", options.machine_address) if options.machine_address else ()
    return ("--url", options.marketplace, *address)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
