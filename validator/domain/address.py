"""This will say which addresses a validator may be sent to by a stranger."""

import ipaddress

from protocol.address import is_public


class AddressRefused(ValueError):
    """The address is not one that a machine of the public internet can have."""


def is_numeric(address: str) -> bool:
    """Say whether it is an IP address already and no name to look up."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def check(address: str, *, allow_private: bool) -> str:
    """Return the numeric ``address`` in its plain spelling.

    Without this a host could point the validator at its own network: Source: gpu_verification.md
    5.3, "SSRF".

    :raises AddressRefused: when it is not a global unicast address and private ones are not
        allowed, or can never be a machine's.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise AddressRefused(f"{address[:64]} is not an IP address.") from error
    if getattr(parsed, "scope_id", None) is not None:
        raise AddressRefused(f"{address[:64]} names a network of the validator's own computer.")
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = parsed if mapped is None else mapped
    # IPv6 counts its loopback among the reserved.
    reserved = parsed.is_reserved and not parsed.is_loopback
    if parsed.is_multicast or parsed.is_unspecified or reserved:
        raise AddressRefused(f"{parsed} is not the address of a machine.")
    if not allow_private and not is_public(str(parsed)):
        raise AddressRefused(
            f"{parsed} is not reachable from the internet. Enrol the machine with its public"
            " address, or allow private addresses in the validator."
        )
    return str(parsed)
