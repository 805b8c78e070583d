"""This will say what a way of paying hosts tells us: of their accounts and of each transfer."""

from dataclasses import dataclass
from enum import StrEnum


class Arrival(StrEnum):
    """What became of money that a host's account at the processor got."""

    ON_ITS_WAY = "on its way"
    PAID = "paid"
    #: the bank sent it back to that account
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """A host's account at the processor, as it is now."""

    #: it can be given money, and can pay it on to a bank
    enabled: bool
    #: two capital letters; empty: not told
    country: str = ""
    #: three small letters: what its bank takes; empty: not told
    currency: str = ""
    #: one plain sentence when it is not enabled
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A transfer that was made."""

    #: the processor's name for it
    reference: str
    #: its name in the host's account, by which a bank's payout names what it holds
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Landing:
    """How far a transfer came, with the bank's reason where it was returned."""

    arrival: Arrival
    reason: str = ""


class TransferRefused(Exception):
    """The processor said no, and nothing was moved."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        #: asking again will not help
        self.for_good = for_good
