"""This will keep rentals off the host, the local network, metadata services and each other.

One wildcard rule set for all bridges named ``berth-*``, installed once: no rental ever runs before
its rule. Needs Docker's DOCKER-USER chain. Rentals have no IPv6, and what would come by it is lost.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from miner_agent.command import CommandFailed, run
from protocol.address import IPV4_INSIDE

BRIDGES = "berth-+"
SPAM_PORTS = "25,465,587"
#: of one rental: the kernel's table of connections is the whole machine's
CONNECTIONS_MOST = 8192
NEW_CONNECTIONS_SECOND_MOST = 2000
FLOOD = (
    "-m hashlimit --hashlimit-name berth-new --hashlimit-mode srcip"
    f" --hashlimit-above {NEW_CONNECTIONS_SECOND_MOST}/second"
    f" --hashlimit-burst {2 * NEW_CONNECTIONS_SECOND_MOST} -j DROP".split(),
    f"-m connlimit --connlimit-above {CONNECTIONS_MOST} --connlimit-mask 32"
    " --connlimit-saddr -j DROP".split(),
)
KNOWN = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
#: there is no such folder where the kernel has no IPv6
IPV6 = Path("/proc/sys/net/ipv6")
#: of all rules of a machine that has many
SAVED_MOST = 4 << 20

logger = logging.getLogger(__name__)


class FirewallFailed(Exception):
    """The rules could not be installed; the sentence says which."""


class Hook(NamedTuple):
    """One of our chains, by what it is reached and what it holds."""

    program: str
    table: str
    caller: str
    chain: str
    rules: tuple[list[str], ...]
    #: what comes from rentals; "-o": what goes to them
    direction: str = "-i"

    def jump(self) -> tuple[str, ...]:
        """Return the rule that leads from the caller into the chain."""
        return (self.caller, self.direction, BRIDGES, "-j", self.chain)


HOOKS = (
    Hook(
        *("iptables", "filter", "DOCKER-USER", "BERTH-FORWARD"),
        rules=(
            [*KNOWN, "-j", "RETURN"],
            *FLOOD,
            ["-p", "tcp", "-m", "multiport", "--dports", SPAM_PORTS, "-j", "REJECT"],
            *(["-d", str(network), "-j", "REJECT"] for network in IPV4_INSIDE),
            ["-d", "127.0.0.0/8", "-j", "DROP"],
            ["-d", "224.0.0.0/3", "-j", "DROP"],
            ["-j", "RETURN"],
        ),
    ),
    Hook(
        *("iptables", "filter", "INPUT", "BERTH-INPUT"),
        rules=(
            [*KNOWN, "-j", "ACCEPT"],
            *FLOOD,
            ["-p", "icmp", "--icmp-type", "echo-request", "-j", "ACCEPT"],
            ["-j", "REJECT"],
        ),
    ),
    # Only what Docker publishes; where forwarding was on before it, its own rules let all in.
    Hook(
        *("iptables", "filter", "DOCKER-USER", "BERTH-ARRIVAL"),
        rules=(
            [*KNOWN, "-j", "RETURN"],
            ["-m", "conntrack", "--ctstate", "DNAT", "-j", "RETURN"],
            ["-j", "DROP"],
        ),
        direction="-o",
    ),
    # A sender that is not in the network of the bridge it came by is not the rental.
    Hook(
        *("iptables", "raw", "PREROUTING", "BERTH-SOURCE"),
        rules=(["-m", "rpfilter", "--invert", "-j", "DROP"],),
    ),
    Hook(*("ip6tables", "filter", "INPUT", "BERTH-INPUT"), rules=(["-j", "DROP"],)),
    Hook(*("ip6tables", "filter", "FORWARD", "BERTH-FORWARD"), rules=(["-j", "DROP"],)),
)


def missing() -> tuple[str, ...]:
    """Return what has to be done before this process can install rules, each in a few words."""
    wanted = ["run it as root"] if os.geteuid() != 0 else []
    if not all(shutil.which(tool) for tool in ("iptables", "iptables-save", "iptables-restore")):
        wanted.append("install iptables")
    return tuple(wanted)


def ensure() -> None:
    """Install the rule set unless rentals pass through it already.

    :raises FirewallFailed: when the kernel or Docker lacks what a rule needs.
    """
    if not is_installed():
        install()


def keep() -> None:
    """Put the rule set back where another program has flushed it while rentals run."""
    if missing():
        return
    try:
        ensure()
    except FirewallFailed as error:
        # Docker's own chain is missing while Docker is, and then nothing starts either.
        logger.warning("firewall rules not kept", extra={"error": str(error)})


def install() -> None:
    """Install the rule set; one that is already there is filled anew, at once and as a whole.

    :raises FirewallFailed: when the kernel or Docker lacks what a rule needs.
    """
    try:
        for program in _programs():
            # In one step: while a chain is empty, everything may pass and stay connected.
            run([f"{program}-restore", "-w", "10", "--noflush"], text=_text(program), deadline_s=20)
        for hook in _hooks():
            if not _succeeds(hook, "-C", *hook.jump()):
                _call(hook, "-I", hook.caller, "1", *hook.jump()[1:])
    except CommandFailed as error:
        raise FirewallFailed(str(error)) from error


def remove() -> None:
    """Remove every rule that ``install`` made; missing ones are fine."""
    for hook in _hooks():
        while _succeeds(hook, "-D", *hook.jump()):
            pass
        _succeeds(hook, "-F", hook.chain)
        _succeeds(hook, "-X", hook.chain)


def is_installed() -> bool:
    """Say whether rentals pass through the rule set."""
    try:
        # One look for all hooks, as each rental waits for it.
        saved = {program: _saved(program) for program in _programs()}
    except CommandFailed:
        return False
    return all(f"-A {' '.join(hook.jump())}" in saved[hook.program] for hook in _hooks())


def _hooks() -> Iterator[Hook]:
    return (hook for hook in HOOKS if hook.program in _programs())


def _programs() -> tuple[str, ...]:
    return ("iptables", "ip6tables") if IPV6.exists() else ("iptables",)


def _saved(program: str) -> list[str]:
    return run([f"{program}-save"], deadline_s=20, characters_most=SAVED_MOST).splitlines()


def _text(program: str) -> str:
    lines: list[str] = []
    for table in ("filter", "raw"):
        hooks = [hook for hook in HOOKS if (hook.program, hook.table) == (program, table)]
        if hooks:
            lines.append(f"*{table}")
            lines += [f":{hook.chain} - [0:0]" for hook in hooks]
            lines += [" ".join(("-A", hook.chain, *one)) for hook in hooks for one in hook.rules]
            lines.append("COMMIT")
    return "\n".join((*lines, ""))


def _call(hook: Hook, *arguments: str) -> None:
    run([hook.program, "-w", "10", "-t", hook.table, *arguments], deadline_s=20)


def _succeeds(hook: Hook, *arguments: str) -> bool:
    try:
        _call(hook, *arguments)
    except CommandFailed:
        return False
    return True
