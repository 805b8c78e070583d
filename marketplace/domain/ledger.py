"""This will hold the rules of double entry: which accounts there are and how lines add up."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from marketplace.domain.money import MicroUsd


class AccountKind(StrEnum):
    """Whose money a row counts. A credit adds to the balance, a debit takes from it."""

    #: what a person may spend
    WALLET = "wallet"
    #: what a person may spend and never paid: each part of it ends some day
    CREDIT = "credit"
    #: set aside for one rental
    HOLD = "hold"
    #: set aside while a payment of the person's is disputed at their bank
    FROZEN = "frozen"
    #: what a host has earned
    EARNINGS = "earnings"
    #: what the operator keeps
    FEES = "fees"
    #: the world of cards and banks: minus what came in
    OUTSIDE = "outside"
    #: minus the credit that was given away or made by the test gateway
    PROMO = "promo"


#: These may never owe anything; the database holds the same rule as a CHECK.
NEVER_NEGATIVE = (
    AccountKind.WALLET,
    AccountKind.CREDIT,
    AccountKind.HOLD,
    AccountKind.FROZEN,
    AccountKind.EARNINGS,
)
#: A person has one account at most of each of these.
SINGLE = (AccountKind.WALLET, AccountKind.CREDIT, AccountKind.FROZEN, AccountKind.EARNINGS)
#: One row of each for the whole site, so many transactions wait for it.
SHARED = (AccountKind.FEES, AccountKind.OUTSIDE, AccountKind.PROMO)


class TransferKind(StrEnum):
    """Why money moved."""

    TOP_UP = "top_up"
    TEST_CREDIT = "test_credit"
    HOLD = "hold"
    RELEASE = "release"
    CHARGE = "charge"
    FEE = "fee"
    #: of a disk that was kept while it was stopped, and of traffic
    STORAGE = "storage"
    NETWORK = "network"
    REFUND = "refund"
    #: what a dispute sets aside, gives back, and takes out for good
    FREEZE = "freeze"
    THAW = "thaw"
    DISPUTE = "dispute"
    PAYOUT = "payout"
    #: promo credit came, and what ended of it went
    GRANT = "grant"
    EXPIRY = "expiry"


class HoldState(StrEnum):
    """What became of money that was set aside."""

    PENDING = "pending"
    #: over, and some of it was charged
    POSTED = "posted"
    #: over, and all of it was given back
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement: all charges of a rental, a return, or one other transfer."""

    #: of its first transfer
    since: datetime
    #: of its newest transfer
    at: datetime
    kind: TransferKind
    #: positive: the total rose
    amount_microusd: MicroUsd
    note: str
    #: the sum of this line and all older ones
    total_microusd: MicroUsd
    #: how many charges the line stands for; anything else is one
    transfers: int
    #: its newest transfer: lines are sorted by it
    number: int
    #: the account of the hold that was charged; None: it is anything else
    hold_account_id: UUID | None = None
