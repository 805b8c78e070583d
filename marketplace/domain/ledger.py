"""This will hold the rules of double entry: which accounts there are and how lines add up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from marketplace.domain.money import MicroUsd


class AccountKind(StrEnum):
    """Whose money a row counts. A credit adds to the balance, a debit takes from it."""

    #: what a person may spend
    WALLET = "wallet"
    #: set aside for one rental
    HOLD = "hold"
    #: what a host has earned
    EARNINGS = "earnings"
    #: what the operator keeps
    FEES = "fees"
    #: the world of cards and banks: minus what came in
    OUTSIDE = "outside"
    #: minus the credit that was given away or made by the test gateway
    PROMO = "promo"


#: These may never owe anything; the database holds the same rule as a CHECK.
NEVER_NEGATIVE = (AccountKind.WALLET, AccountKind.HOLD, AccountKind.EARNINGS)
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
    REFUND = "refund"
    PAYOUT = "payout"


@dataclass(frozen=True, slots=True)
class Movement:
    """One transfer between two accounts, by their ids."""

    debit: str
    credit: str
    amount_microusd: MicroUsd


@dataclass(frozen=True, slots=True)
class Change:
    """What a set of movements adds to one account's counters."""

    debits: int = 0
    credits: int = 0


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement: all charges of one rental, or one other transfer."""

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
    #: how many transfers the line stands for
    transfers: int
    #: its newest transfer: lines are sorted by it
    number: int


def changes(movements: Iterable[Movement]) -> Mapping[str, Change]:
    """Return what the movements together add to each account they touch."""
    found: dict[str, Change] = {}
    for movement in movements:
        amount = movement.amount_microusd
        debit = found.get(movement.debit, Change())
        found[movement.debit] = replace(debit, debits=debit.debits + amount)
        credit = found.get(movement.credit, Change())
        found[movement.credit] = replace(credit, credits=credit.credits + amount)
    return found


def locking_order(kind_by_account: Mapping[str, AccountKind]) -> Sequence[str]:
    """Return the one order in which every transaction locks accounts, so that none deadlock.

    The site's shared accounts come last: their locks are wanted most and so are held shortest.
    """
    return sorted(
        kind_by_account, key=lambda account: (kind_by_account[account] in SHARED, account)
    )
