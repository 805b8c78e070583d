"""This will keep rentals off the host, the local network, metadata services and each other.

One wildcard rule set for all bridges named ``berth-*``, installed once: no rental ever runs before
its rule. Needs Docker's DOCKER-USER chain.
"""

import os
import shutil

from miner_agent.command import CommandFailed, run

BRIDGES = "berth-+"
#: (chain it is called from, own chain)
HOOKS = (("DOCKER-USER", "BERTH-FORWARD"), ("INPUT", "BERTH-INPUT"))
SPAM_PORTS = "25,465,587"
PRIVATE = ("169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
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
RULES: dict[str, tuple[list[str], ...]] = {
    "BERTH-FORWARD": (
        [*KNOWN, "-j", "RETURN"],
        *FLOOD,
        ["-p", "tcp", "-m", "multiport", "--dports", SPAM_PORTS, "-j", "REJECT"],
        *(["-d", network, "-j", "REJECT"] for network in PRIVATE),
        ["-d", "127.0.0.0/8", "-j", "DROP"],
        ["-d", "224.0.0.0/3", "-j", "DROP"],
        ["-j", "RETURN"],
    ),
    "BERTH-INPUT": (
        [*KNOWN, "-j", "ACCEPT"],
        *FLOOD,
        ["-p", "icmp", "--icmp-type", "echo-request", "-j", "ACCEPT"],
        ["-j", "REJECT"],
    ),
}


class FirewallFailed(Exception):
    """The rules could not be installed; the sentence says which."""


def missing() -> tuple[str, ...]:
    """Return what has to be done before this process can install rules, each in a few words."""
    wanted = ["run it as root"] if os.geteuid() != 0 else []
    if not all(shutil.which(tool) for tool in ("iptables", "iptables-restore")):
        wanted.append("install iptables")
    return tuple(wanted)


def ensure() -> None:
    """Install the rule set unless rentals pass through it already.

    :raises FirewallFailed: when the kernel or Docker lacks what a rule needs.
    """
    if not is_installed():
        install()


def install() -> None:
    """Install the rule set; one that is already there is filled anew, at once and as a whole.

    :raises FirewallFailed: when the kernel or Docker lacks what a rule needs.
    """
    try:
        # In one step: while a chain is empty, everything may pass and stay connected.
        run(["iptables-restore", "-w", "10", "--noflush"], text=_table(), deadline_s=20)
        for caller, chain in HOOKS:
            jump = ("-i", BRIDGES, "-j", chain)
            if not _succeeds("-C", caller, *jump):
                _iptables("-I", caller, "1", *jump)
    except CommandFailed as error:
        raise FirewallFailed(str(error)) from error


def remove() -> None:
    """Remove every rule that ``install`` made; missing ones are fine."""
    for caller, chain in HOOKS:
        while _succeeds("-D", caller, "-i", BRIDGES, "-j", chain):
            pass
        _succeeds("-F", chain)
        _succeeds("-X", chain)


def is_installed() -> bool:
    """Say whether rentals pass through the rule set."""
    return all(_succeeds("-C", caller, "-i", BRIDGES, "-j", chain) for caller, chain in HOOKS)


def _table() -> str:
    chains = [f":{chain} - [0:0]" for chain in RULES]
    rules = [" ".join(("-A", chain, *rule)) for chain, rows in RULES.items() for rule in rows]
    return "\n".join(("*filter", *chains, *rules, "COMMIT", ""))


def _iptables(*arguments: str) -> None:
    run(["iptables", "-w", "10", *arguments], deadline_s=20)


def _succeeds(*arguments: str) -> bool:
    try:
        _iptables(*arguments)
    except CommandFailed:
        return False
    return True
