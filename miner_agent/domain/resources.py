"""This will choose a port, a network slot and CPU cores that nobody holds."""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Network

from protocol.workload import Workload

#: a slot's network: gateway, one container, room for nothing else
SLOT_PREFIX = 29


class NoCapacity(Exception):
    """Nothing of what was asked for is free on this machine."""


def choose_port(*, first: int, last: int, taken: Collection[int]) -> int:
    """Return the lowest free port of [first, last].

    :raises NoCapacity: when every port is taken.
    """
    for port in range(first, last + 1):
        if port not in taken:
            return port
    raise NoCapacity(f"Every port of this machine's range {first}-{last} is in use.")


def choose_slot(*, network: IPv4Network, taken: Collection[int]) -> int:
    """Return the lowest free slot, so that the networks kept in the pool are used first.

    :raises NoCapacity: when every slot is taken.
    """
    for slot in range(1 << (SLOT_PREFIX - network.prefixlen)):
        if slot not in taken:
            return slot
    raise NoCapacity(f"Every network slot of {network} is in use.")


def slot_subnet(*, network: IPv4Network, slot: int) -> IPv4Network:
    """Return the slot's own /29."""
    first = int(network.network_address) + slot * (1 << (32 - SLOT_PREFIX))
    return IPv4Network((first, SLOT_PREFIX))


def choose_cores(*, count: int, usable: Sequence[int], taken: Collection[int]) -> tuple[int, ...]:
    """Return ``count`` cores that no placement holds.

    :raises NoCapacity: when fewer are free.
    """
    free = [core for core in usable if core not in taken]
    if count < 1 or len(free) < count:
        raise NoCapacity(f"{count} CPU cores were asked for and {len(free)} are free.")
    return tuple(free[:count])


def check_bytes(what: str, *, asked: int, free: int) -> None:
    """Let through what fits.

    :raises NoCapacity: when more is asked for than is free.
    """
    if asked > free:
        raise NoCapacity(f"{asked} bytes of {what} were asked for and {max(0, free)} are free.")


def disk_bytes(workload: Workload) -> int:
    """Return the size of its own disk: a job's inputs lie beside it, and are a part of its share.

    It is 0 or less where nothing is left.
    """
    inputs = sum(file.size_bytes for file in workload.inputs)
    return workload.resources.hard_disk.capacity - inputs
