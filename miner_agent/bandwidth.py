"""This will hold what a container sends and receives to so many megabits a second each way.

What it receives is queued at the machine's end of its cable, what it sends at its own end: the
renter is root there but has no right over the network.
"""

import os
import re
import shutil

from miner_agent.command import CommandFailed, run

CARD = "eth0"
#: packets come here as large as 64 KiB, and a queue that they do not fit in loses them
BURST_BYTES_LEAST = 128 << 10
BURST_S = 0.01
LATENCY = "50ms"
TOOLS = ("ip", "tc", "nsenter")
#: of ``ip -o link``: number, name, number of the other end
LINK = re.compile(r"^(\d+): ([^:@]+)@if(\d+):", re.MULTILINE)


class BandwidthFailed(Exception):
    """The limit could not be set; the sentence says why."""


def missing() -> tuple[str, ...]:
    """Return what has to be done before this process can limit bandwidth, each in a few words."""
    wanted = ["run it as root"] if os.geteuid() != 0 else []
    if not all(shutil.which(tool) for tool in TOOLS):
        wanted.append("install iproute2 and util-linux")
    return tuple(wanted)


def limit(process_id: int, *, mbit: int | None) -> None:
    """Limit the container of this process; None: take the limit away, if it has one.

    :raises BandwidthFailed: when the kernel or a tool refuses.
    """
    enter = ["nsenter", "--target", str(process_id), "--net"]
    try:
        machine_end = _machine_end(run([*enter, "ip", "-o", "link"]))
        if machine_end is None:
            return
        for place, device in ((enter, CARD), ([], machine_end)):
            if mbit is not None:
                run([*place, "tc", "qdisc", "replace", "dev", device, "root", *_queue(mbit)])
            elif " tbf " in run([*place, "tc", "qdisc", "show", "dev", device, "root"]):
                run([*place, "tc", "qdisc", "delete", "dev", device, "root"])
    except CommandFailed as error:
        raise BandwidthFailed(str(error)) from error


def _machine_end(inside: str) -> str | None:
    """Return the name of the cable's other end, None where the container has no network."""
    other = next((match[3] for match in LINK.finditer(inside) if match[2] == CARD), None)
    if other is None:
        return None
    found = (match[2] for match in LINK.finditer(run(["ip", "-o", "link"])) if match[1] == other)
    return next(found, None)


def _queue(mbit: int) -> list[str]:
    burst = max(BURST_BYTES_LEAST, int(mbit * 1_000_000 / 8 * BURST_S))
    return ["tbf", "rate", f"{mbit}mbit", "burst", str(burst), "latency", LATENCY]
