"""This will find ports of the loopback for servers that are started, and started again, later.

Not the kernel's choice: it takes that from the ports of outgoing connections, so another program's
connection may have it by the time, or, at a port where nobody listens yet, the very client that
waits there meets itself (RFC 9293, 3.5: simultaneous open).
"""

import os
import socket
from itertools import count, islice

#: below the ports of outgoing connections, 32768 to 60999 on Linux
FIRST, LAST = 10_000, 32_000
_places = count(os.getpid() * 61)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    return free_ports(1)


def free_ports(many: int) -> int:
    """Return the first of so many neighbouring ports that nobody listens on now.

    No two calls of one process return the same.
    """
    for _ in range(LAST - FIRST):
        # As many as were asked for, so that the next call begins behind them.
        place, *_ = islice(_places, many)
        first = FIRST + place % (LAST - FIRST)
        if all(_is_free(port) for port in range(first, first + many)):
            return first
    raise OSError(f"Not one of the ports from {FIRST} to {LAST} is free.")


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
