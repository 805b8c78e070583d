"""This will be the command ``berth-agent upgrade``: a newer version in place of this one."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from miner_agent import heard, journal_schema
from miner_agent.command import run
from miner_agent.home import JOURNAL
from miner_agent.machine import Machine
from miner_agent.packaging.upgrade import REPORT_DEADLINE_S, Service, root_of, upgrade

RESTART = "systemctl restart berth-agent"
RESTART_DEADLINE_S = 120


def add_parser(commands: Any) -> None:
    """Add the command to a program's parser."""
    parser = commands.add_parser("upgrade", help="put a new version in place; rentals run on")
    parser.add_argument("wheel", type=Path, help="the new version")
    parser.add_argument("--requirements", type=Path, help="pinned packages that it needs")
    parser.add_argument(
        "--restart", default=RESTART, help=f"what restarts the service; default: {RESTART}"
    )
    parser.add_argument(
        "--deadline",
        type=float,
        default=REPORT_DEADLINE_S,
        help="seconds in which the new version has to reach the marketplace",
    )
    parser.set_defaults(perform=perform)


def perform(machine: Machine, options: argparse.Namespace) -> int:
    """Upgrade and say what runs now."""
    home = machine.settings.home
    service = Service(
        restart=lambda: _restart(options.restart),
        heard_by=lambda: heard.by(home),
        can_go_back=lambda: journal_schema.can_read(home / JOURNAL),
        deadline_s=options.deadline,
    )
    version = upgrade(root_of(), options.wheel.absolute(), service, options.requirements)
    sys.stdout.write(f"Version {version.name} runs and has reached the marketplace.\n")
    return 0


def _restart(command: str) -> None:
    run(shlex.split(command), deadline_s=RESTART_DEADLINE_S)
