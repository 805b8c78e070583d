"""This will judge the machine's network: ports, forwarding, its table of connections."""

from collections.abc import Collection

from miner_agent.domain.findings import Finding

#: four rentals that use all of theirs (firewall.CONNECTIONS_MOST)
CONNECTIONS_LEAST = 4 * 8192
#: how far the marketplace lets a machine's clock be off is its own; this is where it gets close
SKEW_S_MOST = 20


def control_port(port: int, *, taken: bool, is_ours: bool) -> Finding:
    """Judge whether validators can be let in; ``is_ours``: the agent runs."""
    passed = not taken or is_ours
    return Finding(
        id="control-port",
        passed=passed,
        actual=(
            f"Another program listens on port {port}."
            if not passed
            else f"The agent listens on port {port}."
            if taken
            else f"Port {port} is free for the agent."
        ),
        required="free",
        why="Validators log in there; a machine that none has seen is not rented.",
        fix="End that program, or choose another port: BERTH_AGENT_CONTROL_PORT.",
    )


def ports(first: int, last: int, *, taken: Collection[int]) -> Finding:
    """Judge the range of renters' ports; ``taken``: what other programs listen on."""
    inside = sorted(port for port in taken if first <= port <= last)
    free = last - first + 1 - len(inside)
    named = ", ".join(map(str, inside[:5])) + (" and more" if len(inside) > 5 else "")
    return Finding(
        id="ports",
        passed=not inside,
        actual=(
            f"Other programs listen on {named} of the range {first}-{last}; {free} are free."
            if inside
            else f"The ports {first}-{last} are free for renters."
        ),
        required="no other program in the range",
        why="A rental whose port is taken gets another one; without any it cannot start.",
        fix="End these programs, or choose another range: BERTH_AGENT_PORTS.",
        needed=free < 1,
    )


def hook(*, there: bool, needed: bool) -> Finding:
    """Judge whether Docker lets the agent's rules come before its own."""
    return Finding(
        id="docker-user-chain",
        passed=there,
        actual=f"Docker's chain DOCKER-USER is {'' if there else 'not '}there.",
        required="Docker manages iptables",
        why="The agent's rules are called from it.",
        fix='Remove "iptables": false from /etc/docker/daemon.json and restart Docker.',
        needed=needed,
    )


def forwarding(*, on: bool) -> Finding:
    """Judge whether rentals reach the internet at all."""
    return Finding(
        id="ip-forwarding",
        passed=on,
        actual=f"This machine {'forwards' if on else 'does not forward'} IPv4.",
        required="net.ipv4.ip_forward=1",
        why="Otherwise rentals reach nothing and nobody reaches them.",
        fix="Run: sysctl -w net.ipv4.ip_forward=1",
    )


def ipv6(*, forwards: bool) -> Finding:
    """Judge whether rentals could have an address that the rules do not cover."""
    return Finding(
        id="ipv6",
        passed=not forwards,
        actual=f"This machine {'forwards' if forwards else 'does not forward'} IPv6.",
        required="not forwarded",
        why="Rentals have IPv4 alone; the rules that keep them in are for IPv4.",
        fix='Keep "ipv6" out of /etc/docker/daemon.json, or forwarding off.',
        needed=False,
    )


def connections(most: int | None) -> Finding:
    """Judge the kernel's table of connections; None: it has none yet."""
    passed = most is None or most >= CONNECTIONS_LEAST
    return Finding(
        id="conntrack",
        passed=passed,
        actual=(
            "The kernel keeps no table of connections yet."
            if most is None
            else f"The kernel keeps {most} connections at most."
        ),
        required=f"at least {CONNECTIONS_LEAST}",
        why="The table is the whole machine's: when it is full, nobody connects.",
        fix=f"Run: sysctl -w net.netfilter.nf_conntrack_max={8 * CONNECTIONS_LEAST}",
        needed=False,
    )


def marketplace(url: str, *, problem: str) -> Finding:
    """Judge whether the marketplace answers; ``problem``: why not, empty where it does."""
    return Finding(
        id="marketplace",
        passed=not problem,
        actual=f"{url} does not answer: {problem}." if problem else f"{url} answers.",
        required="reached from here",
        why="The agent dials it; it never dials this machine for work.",
        fix="Look at the address, at this machine's name server and at its firewall.",
        needed=False,
    )


def skew(seconds: float | None) -> Finding:
    """Judge how far this clock is from the marketplace's; None: it told no time."""
    passed = seconds is None or abs(seconds) <= SKEW_S_MOST
    return Finding(
        id="clock-skew",
        passed=passed,
        actual=(
            "The marketplace told no time."
            if seconds is None
            else f"This clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
            " the marketplace's."
        ),
        required=f"at most {SKEW_S_MOST} s",
        why="The marketplace refuses what is signed at a wrong time.",
        fix="Set the clock and keep it right (NTP).",
        needed=False,
    )
