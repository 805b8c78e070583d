"""This will say whose money it is that comes back to a renter."""

from dataclasses import dataclass

from marketplace.domain.money import MicroUsd


@dataclass(frozen=True, slots=True)
class Shares:
    """Who gives how much of what comes back."""

    host_microusd: MicroUsd
    #: its own share, and what the host's earnings do not have
    site_microusd: MicroUsd


def shares(
    amount_microusd: int, *, fee_microusd: int, site_alone: bool, earned_microusd: int
) -> Shares:
    """Return who gives how much: the site its fee of it, and the host the rest.

    What the host has not earned, or was paid out, the site gives. ``site_alone``: it gives all.
    """
    wanted = 0 if site_alone else amount_microusd - fee_microusd
    host = max(0, min(wanted, earned_microusd))
    return Shares(MicroUsd(host), MicroUsd(amount_microusd - host))


def kept_microusd(parts: Shares, *, fee_microusd: int) -> MicroUsd:
    """Return of how much of what comes back the host kept their part: the site gave that alone.

    The host's part of the rest is what they gave, but for less than a micro-USD or two.
    """
    amount = parts.host_microusd + parts.site_microusd
    if not parts.host_microusd:
        return MicroUsd(amount)
    # Rounded up, as who reads it takes the fee off and rounds down.
    divided = -(-parts.host_microusd * amount // (amount - fee_microusd))
    return MicroUsd(amount - divided)
