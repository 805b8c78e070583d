"""This will say what a gateway for cards does beyond taking money."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from marketplace.domain.money import MicroUsd
from marketplace.payments.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card, as far as anyone but the processor may know it."""

    id: str
    brand: str
    last4: str
    #: ``12/2030``
    expires: str


class RefundOutcome(StrEnum):
    """How far money is on its way back."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """Money that is to go back to the card it came from."""

    refund_id: UUID
    #: the processor's name of the payment
    payment: str
    amount_microusd: MicroUsd
    #: the processor's name of the refund, empty until it answered
    reference: str = ""


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    outcome: RefundOutcome
    reference: str
    reason: str = ""


class DisputeOutcome(StrEnum):
    """What became of a dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A dispute, as the processor has it now."""

    id: str
    #: the processor's name of the payment
    payment: str
    amount_microusd: MicroUsd
    currency: str
    outcome: DisputeOutcome
    #: the cardholder's reason, such as ``fraudulent``
    reason: str
    opened_at: datetime
    #: None: no evidence is asked for
    evidence_due_at: datetime | None


class MovementKind(StrEnum):
    """What moved money on our account with the processor."""

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    #: payouts to the bank, fees: the operator's own business
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the processor's own books."""

    id: str
    kind: MovementKind
    #: of the payment, the refund or the dispute
    reference: str
    #: positive: it came to us; before the processor's fee
    amount_microusd: MicroUsd
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """What a web hook says: a hint that something changed. No figure of it is believed."""

    id: str
    type: str
    created_at: datetime
    #: the object that changed, such as ``payment_intent``
    object_kind: str
    object_id: str
    #: the payment or the customer that the object belongs to; empty: none is named
    payment: str
    customer: str


class SignatureRefused(Exception):
    """The web hook was not signed with our secret within the last minutes."""


class CardProcessor(Gateway, Protocol):
    """A gateway that keeps cards. Every method may raise GatewayUnreachable."""

    def new_customer(self, *, payer_id: UUID, email: str) -> str:
        """Return the processor's name for a person; the same payer gets the same name."""

    def card_page(self, *, customer: str, saved_url: str, cancelled_url: str) -> str:
        """Return the address of the processor's own page that saves a card, or leads back."""

    def saved_card(self, customer: str) -> Card | None:
        """Return the card that was saved last, and forget any older one."""

    def forget_cards(self, customer: str) -> None:
        """Forget every card of the person."""

    def refund(self, asked: RefundAsked) -> RefundAnswer:
        """Give money back. Asking twice with one ``refund_id`` gives it back once."""

    def dispute(self, dispute_id: str) -> DisputeFacts:
        """Return the dispute as it stands now."""

    def payment_of(self, reference: str) -> UUID | None:
        """Return the ``top_up_id`` that we wrote into this payment; None: it is none of ours."""

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield the processor's own books from ``since`` up to ``until``."""

    def event(self, *, payload: bytes, signature: str, now: datetime) -> Event:
        """Return what a web hook says.

        :raises SignatureRefused: when it is forged, too old, or no event at all.
        """

    def stored_event(self, payload: str) -> Event:
        """Return what a web hook said whose signature was checked when it came."""
