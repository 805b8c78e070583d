"""This will say what every payment gateway does for the marketplace."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd


class Outcome(StrEnum):
    """What a gateway made of a payment."""

    PAID = "paid"
    #: the person still has to do something, or the bank is slow
    PENDING = "pending"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Payment:
    """What a gateway is asked for. It is the same each time, however often it is asked."""

    top_up_id: UUID
    amount_microusd: MicroUsd
    #: the gateway's own names for the person and their card; empty where it knows none
    customer: str = ""
    card: str = ""
    #: nobody is there to confirm it
    automatic: bool = False
    #: the gateway's own name for the payment, empty until it answered
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A gateway's answer to one payment."""

    outcome: Outcome
    #: the gateway's own name for the payment
    reference: str
    #: one plain sentence when refused
    reason: str = ""
    #: where the person confirms the payment, if their bank wants that
    confirm_url: str = ""


class Gateway(Protocol):
    """A way to take money. It never sees the ledger; it only says what happened."""

    @property
    def name(self) -> str:
        """Return the short name that is stored with each payment."""

    @property
    def source(self) -> AccountKind:
        """Return the site's account that the money comes from: OUTSIDE, or PROMO for play money."""

    @property
    def kind(self) -> TransferKind:
        """Return what the transfer is called on a statement."""

    @property
    def needs_card(self) -> bool:
        """Say whether a person has to save a card before they can pay."""

    def charge(self, payment: Payment) -> Answer:
        """Ask for the money. Asking twice with one ``top_up_id`` takes it once.

        :raises GatewayUnreachable: when no answer came within the gateway's deadline.
        :raises AnswerDoesNotFit: when the gateway has something else under this name.
        """

    def cancel(self, payment: Payment) -> Answer:
        """Return paid if the money came already; else refused, and it is never taken from then on.

        :raises GatewayUnreachable: when no answer came within the gateway's deadline.
        :raises AnswerDoesNotFit: when the gateway has something else under this name.
        """


class GatewayUnreachable(Exception):
    """Nobody knows whether the payment happened; ask again with the same id."""


class AnswerDoesNotFit(Exception):
    """The gateway has another amount, currency or owner under our name: no money moves for it."""
