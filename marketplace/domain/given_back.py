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
