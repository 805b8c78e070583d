"""This will find the address of this machine that its way to the marketplace begins at."""

from urllib.parse import urlsplit

from miner_agent.market import MarketUnreachable
from miner_agent.outward import address_towards


def local_address(url: str) -> str:
    """Return it, without sending anything but a question for the marketplace's name.

    :raises MarketUnreachable: when there is no way to it.
    """
    host = str(urlsplit(url).hostname)
    try:
        return address_towards(host)
    except OSError as error:
        raise MarketUnreachable(f"There is no way to {host}: {error}") from error
