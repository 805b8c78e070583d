"""This will be the command line of a machine's host: check, enroll, run, status, uninstall."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from miner_agent import VERSION, daemon, log, support_bundle
from miner_agent.access.kit import KitMissing
from miner_agent.asking import enrolment_token
from miner_agent.check import NotIsolated, check
from miner_agent.disk import DiskFailed
from miner_agent.domain import proof_budget
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.firewall import FirewallFailed
from miner_agent.home import AlreadyRunning, NotEnrolled
from miner_agent.journal_schema import JournalTooNew
from miner_agent.machine import Machine
from miner_agent.market import MarketRefused, MarketUnreachable
from miner_agent.packaging import installing, upgrading
from miner_agent.packaging.install import InstallFailed
from miner_agent.packaging.over_ssh import NotConnected
from miner_agent.packaging.upgrade import UpgradeFailed
from miner_agent.proofs import SPENT
from miner_agent.settings import BadSetting, Settings, read
from protocol.signing import public_key_of

#: what a person is told in one sentence instead of a traceback
EXPECTED = (
    AlreadyRunning,
    BadSetting,
    DiskFailed,
    EngineRefused,
    EngineUnavailable,
    FirewallFailed,
    InstallFailed,
    JournalTooNew,
    KitMissing,
    MarketRefused,
    MarketUnreachable,
    NotConnected,
    NotEnrolled,
    NotIsolated,
    UpgradeFailed,
    daemon.TokenMalformed,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    log.configure()
    try:
        machine = Machine(_settings(options))
        return int(options.perform(machine, options))
    except EXPECTED as error:
        sys.stderr.write(f"berth-agent: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"berth-agent: {error}\n")
        return 1


def _settings(options: argparse.Namespace) -> Settings:
    told = {"BERTH_MARKETPLACE_URL": options.url, "BERTH_AGENT_ADDRESS": options.address}
    return read({**os.environ, **{name: text for name, text in told.items() if text is not None}})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="berth-agent", description="Offers this machine on a Berth marketplace."
    )
    parser.add_argument("--version", action="version", version=VERSION)
    parser.set_defaults(url=None, address=None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check_parser = commands.add_parser("check", help="say what is missing here")
    check_parser.add_argument("--json", action="store_true", help="for programs: all of it")
    check_parser.set_defaults(perform=_check)
    enroll = commands.add_parser(
        "enroll", help="make this machine yours with a one-time token, which it reads or asks for"
    )
    enroll.add_argument("--url", help="of the marketplace; default: BERTH_MARKETPLACE_URL")
    enroll.add_argument(
        "--address",
        help="where renters reach this machine; default: BERTH_AGENT_ADDRESS, else the address"
        " of the interface that leads to the marketplace",
    )
    enroll.set_defaults(perform=_enroll)
    run = commands.add_parser("run", help="take part until stopped; rentals outlive a stop")
    run.add_argument(
        "--ephemeral", action="store_true", help="remove every rental and trace when stopped"
    )
    run.set_defaults(perform=_run)
    commands.add_parser("status", help="show what runs here").set_defaults(perform=_status)
    installing.add_parser(commands)
    upgrading.add_parser(commands)
    bundle = commands.add_parser("support-bundle", help="pack what helps to find a fault")
    bundle.add_argument("file", type=Path, help="such as bundle.tar.gz")
    bundle.set_defaults(perform=_support_bundle)
    uninstall = commands.add_parser("uninstall", help="end every rental, remove all but the key")
    uninstall.set_defaults(perform=_uninstall)
    return parser


def _check(machine: Machine, options: argparse.Namespace) -> int:
    findings = check(machine)
    if options.json:
        told = [{**asdict(one), "sentence": one.sentence} for one in findings]
        sys.stdout.write(f"{json.dumps(told, indent=1)}\n")
    else:
        for one in findings:
            sys.stdout.write(f"{one.mark:4}  {one.sentence}\n")
            if not one.passed:
                sys.stdout.write(f"      {one.id}: {one.why} Required: {one.required}.\n")
    return 0 if all(one.passed or not one.needed for one in findings) else 1


def _enroll(machine: Machine, options: argparse.Namespace) -> int:
    enrolled = asyncio.run(daemon.enrol(machine, token=enrolment_token()))
    sys.stdout.write(
        f"Enrolled as machine {enrolled.machine_id}. Renters are given {enrolled.address}.\n"
    )
    return 0


def _run(machine: Machine, options: argparse.Namespace) -> int:
    asyncio.run(daemon.run(machine, ephemeral=options.ephemeral))
    return 0


def _status(machine: Machine, options: argparse.Namespace) -> int:
    enrolled = machine.enrolment()
    sys.stdout.write(
        f"machine      {enrolled.machine_id}\n"
        f"machine key  {public_key_of(machine.key())}\n"
        f"marketplace  {machine.settings.marketplace_url}\n"
        f"address      {enrolled.address}\n"
    )
    journal = machine.journal()
    placements = journal.placements().values()
    for placement in placements:
        problem = "" if placement.problem is None else f"  {placement.problem.message}"
        port = "-" if placement.port is None else str(placement.port)
        line = f"{placement.placement_id}  {placement.state:10}  port {port}{problem}"
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{len(placements)} placements, revision {journal.fact('revision') or 0}\n")
    now_ms, most_s = machine.clock.wall_ms(), machine.settings.proof_s_per_day
    spent_s = proof_budget.total_ms(proof_budget.read(journal.fact(SPENT)), now_ms=now_ms) // 1000
    sys.stdout.write(f"proofs had {spent_s} s of their {most_s} s a day\n")
    journal.close()
    return 0


def _support_bundle(machine: Machine, options: argparse.Namespace) -> int:
    names = support_bundle.write(machine, options.file)
    sys.stdout.write(f"{options.file} holds {', '.join(names)}. Look before you send it.\n")
    return 0


def _uninstall(machine: Machine, options: argparse.Namespace) -> int:
    asyncio.run(daemon.uninstall(machine))
    sys.stdout.write("Every rental, network, disk and firewall rule is removed.\n")
    return 0
