"""This will tell an address of the public internet from one inside somebody's own network."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

#: where a network's own machines and services are, beside loopback, multicast and the reserved. Not
#: the three of documentation: nobody is there. Oracle's and Azure's clouds answer their own guests
#: in 192.0.0.0/24 and at 168.63.129.16, as most others do below 169.254.0.0/16.
#: Source: IANA IPv4 Special-Purpose Address Registry; Azure, "What is IP address 168.63.129.16?",
#: both read 2026-11-21
IPV4_INSIDE = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
    )
)
#: what is given out to the internet. Source: IANA, IPv6 Global Unicast Address Assignments, 2026-11
IPV6_INTERNET = IPv6Network("2000::/3")
#: 6to4: the IPv4 address inside may be a private one. Source: RFC 3056, section 2
IPV6_6TO4 = IPv6Network("2002::/16")


def is_private(address: str) -> bool:
    """Say whether a machine's address, a name too, is surely none of the public internet."""
    try:
        return not is_public(address)
    except ValueError:
        # A name of one word is known to its own network, as "localhost" is to itself.
        return "." not in address.rstrip(".")


def is_public(text: str) -> bool:
    """Say whether an IP address, not a name, is one host of the public internet.

    IPv6 can spell an IPv4 address in many ways: mapped, it is the same machine and is judged
    as such; through a translator or a tunnel (64:ff9b::/96, 6to4, Teredo) nobody needs it.

    :raises ValueError: when the text is no address.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address not in IPV6_INTERNET or address in IPV6_6TO4:
            return False
    elif any(address in network for network in IPV4_INSIDE):
        return False
    return address.is_global and not address.is_multicast
