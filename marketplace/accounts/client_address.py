"""This will say which network address a request counts for."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

#: whoever has one IPv6 address has this whole prefix to choose others from
IPV6_PREFIX_LENGTH = 64


def client_address(request: HttpRequest) -> str:
    """Return the client's IPv4 address or IPv6 network; empty: there is none, as on a Unix socket.

    ``X-Forwarded-For`` is anybody's word but for the entries that our own proxies appended: of
    BERTH_TRUSTED_PROXIES proxies, the outermost one saw the client.
    """
    connected = request.META.get("REMOTE_ADDR", "")
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    proxies: int = settings.TRUSTED_PROXIES
    if 0 < proxies <= len(hops):
        return _network(hops[-proxies]) or _network(connected)
    return _network(connected)


def _network(text: str) -> str:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address), IPV6_PREFIX_LENGTH), strict=False))
    return str(address)
