"""This will find the address of this machine that its way to the marketplace begins at."""

import socket
from urllib.parse import urlsplit

from miner_agent.market import MarketUnreachable


def local_address(url: str) -> str:
    """Return it, without sending anything but a question for the marketplace's name.

    :raises MarketUnreachable: when there is no way to it.
    """
    host = str(urlsplit(url).hostname)
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_DGRAM)
        # IPv4 first: it is what most renters have.
        family, kind, number, _, there = min(found, key=lambda one: one[0] != socket.AF_INET)
        with socket.socket(family, kind, number) as probe:
            probe.connect(there)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise MarketUnreachable(f"There is no way to {host}: {error}") from error
