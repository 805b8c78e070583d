"""This will find a network and ports that nobody on this machine uses yet."""

import shutil
import socket
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

#: tried in this order: away from the agent's default, which a real agent here may use
CANDIDATES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in range(230, 250))

#: for a rental with a disk of 2 GiB, its image and the logs
ROOM_BYTES = 3 << 30


class NothingFree(Exception):
    """Every candidate is in use."""


def network() -> IPv4Network:
    """Return a private network that no route of this machine touches.

    :raises NothingFree: when every candidate is taken.
    """
    routed = [each for each in routes() if each.prefixlen]
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(each) for each in routed):
            return candidate
    raise NothingFree(f"{CANDIDATES[0]} to {CANDIDATES[-1]} are all in use.")


def routes() -> list[IPv4Network]:
    """Return the networks that this machine has a route to."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        words = line.split()
        # The kernel writes addresses in the machine's own byte order, lowest byte first.
        address, mask = (IPv4Address(bytes.fromhex(words[n])[::-1]) for n in (1, 7))
        found.append(IPv4Network(f"{address}/{mask}"))
    return found


def refuse_taken(number: int) -> None:
    """Refuse a loopback port that somebody listens on.

    :raises NothingFree: saying how to choose another.
    """
    try:
        socket.create_server(("127.0.0.1", number)).close()
    except OSError as error:
        raise NothingFree(
            f"port {number} is in use ({error.strerror}); choose another: make demo PORT=8080"
        ) from error


def refuse_full(folder: Path) -> None:
    """Refuse a disk on which the demo's rental finds no room.

    :raises NothingFree: naming what is free and what is needed.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < ROOM_BYTES:
        free, needed = f"{free_bytes / (1 << 30):.1f} GiB", f"{ROOM_BYTES >> 30} GiB"
        raise NothingFree(f"only {free} are free in {folder}; the demo needs {needed}")


def port() -> int:
    """Return a loopback port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
