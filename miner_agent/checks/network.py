"""This will look at ports, forwarding and the way to the marketplace."""

import email.utils
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from miner_agent import firewall
from miner_agent.command import CommandFailed, run
from miner_agent.domain.claims import PORT
from miner_agent.domain.findings import Finding, network
from miner_agent.machine import Machine

SOCKETS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
#: in the fourth column
LISTENS = "0A"
FORWARD_4 = Path("/proc/sys/net/ipv4/ip_forward")
FORWARD_6 = Path("/proc/sys/net/ipv6/conf/all/forwarding")
CONNECTIONS = Path("/proc/sys/net/netfilter/nf_conntrack_max")
ANSWER_S = 5


def look(machine: Machine) -> tuple[Finding, ...]:
    """Return what the network of this machine comes to, without sending anything."""
    settings = machine.settings
    listening = ports_listening(path.read_text() for path in SOCKETS if path.exists())
    found = [
        network.control_port(
            settings.control_port,
            taken=settings.control_port in listening,
            is_ours=machine.is_served(),
        ),
        network.ports(
            settings.port_first,
            settings.port_last,
            taken=listening - _own(machine) - {settings.control_port},
        ),
        network.forwarding(on=_number(FORWARD_4) == 1),
        network.ipv6(forwards=_number(FORWARD_6) == 1),
        network.connections(_number(CONNECTIONS)),
    ]
    if not firewall.missing():
        found.append(network.hook(there=_has_hook(), needed=not settings.allow_unisolated))
    return tuple(found)


def ask(machine: Machine) -> tuple[Finding, ...]:
    """Return what the marketplace answers; it may block for a few seconds."""
    url = machine.settings.marketplace_url
    problem, seconds = "", None
    try:
        answer = httpx.get(url, timeout=ANSWER_S)
        seconds = _ahead_s(answer.headers.get("Date", ""))
    except httpx.HTTPError as error:
        problem = str(error) or type(error).__name__
    return network.marketplace(url, problem=problem), network.skew(seconds)


def ports_listening(tables: Iterable[str]) -> set[int]:
    """Return the TCP ports that programs listen on, of the kernel's tables of sockets."""
    rows = (line.split() for table in tables for line in table.splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENS}


def _own(machine: Machine) -> set[int]:
    journal = machine.journal_if_any()
    if journal is None:
        return set()
    claimed = {int(port) for port in journal.claimed(PORT)}
    journal.close()
    return claimed


def _has_hook() -> bool:
    try:
        run(["iptables", "-w", "10", "-S", "DOCKER-USER"], deadline_s=20)
    except CommandFailed:
        return False
    return True


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _ahead_s(date: str) -> float | None:
    """Return by how much this clock is ahead of an HTTP date; None where there is none."""
    try:
        told = email.utils.parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return (datetime.now(UTC) - told).total_seconds()
