"""This will say what of a host's earnings may be paid out, when, and how often it is tried."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from marketplace.domain.money import PPM, MicroUsd

#: a dispute of a card mostly comes within this time
RESERVE_LASTS = timedelta(days=30)
#: banks know no less
CENT_MICROUSD = 10_000
#: what more there is goes out a week later.
#: Source: Charge.amount in the reference of Stripe's API: eight digits, read 2026-11-21
AMOUNT_MICROUSD_MAX = MicroUsd(999_999_990_000)
FRIDAY = 4
WEEK = timedelta(days=7)
RETRY_FIRST = timedelta(minutes=1)
RETRY_LONGEST = timedelta(hours=6)
RETRY_DOUBLINGS_MAX = 10
#: a refusal that may pass is heard so often, over some 8 hours, before the money comes back
ATTEMPTS_MAX = 10
#: so long a bank that sent the money back may be mended before it returns to the earnings
BANK_MENDED_WITHIN = timedelta(days=14)


class PayoutState(StrEnum):
    """How far one payout came."""

    #: the ledger has set it apart; whether the processor moved it may be unknown
    PENDING = "pending"
    #: it lies in the host's account at the processor, on its way to a bank
    SENT = "sent"
    PAID = "paid"
    #: it is back in the host's earnings
    FAILED = "failed"


#: the states that a payout may go to from each
NEXT = {
    PayoutState.PENDING: frozenset({PayoutState.SENT, PayoutState.FAILED}),
    PayoutState.SENT: frozenset({PayoutState.PAID, PayoutState.FAILED}),
    PayoutState.PAID: frozenset[PayoutState](),
    PayoutState.FAILED: frozenset[PayoutState](),
}
OPEN = tuple(state for state, later in NEXT.items() if later)


@dataclass(frozen=True, slots=True)
class Terms:
    """What this site keeps back of earnings, and from how much on it pays."""

    #: nothing of an earning is paid out before it is this old
    hold: timedelta
    #: of what is older than that, and younger than RESERVE_LASTS, this share stays for disputes
    reserve_ppm: int
    amount_microusd_min: MicroUsd


@dataclass(frozen=True, slots=True)
class Earnings:
    """What a host has, and how much was earned lately, as of one moment."""

    #: earned and neither paid out nor given back
    balance_microusd: MicroUsd
    #: earned within the hold
    young_microusd: MicroUsd
    #: earned before that, and within RESERVE_LASTS
    recent_microusd: MicroUsd


@dataclass(frozen=True, slots=True)
class Available:
    """What may be paid out, and what keeps the rest."""

    balance_microusd: MicroUsd
    young_microusd: MicroUsd
    reserve_microusd: MicroUsd
    available_microusd: MicroUsd


def available(earnings: Earnings, reserve_ppm: int) -> Available:
    """Return what of the earnings may be paid out.

    Of each dollar that is nothing while it is young, all but the reserve while it is recent, and
    then all of it: never more than there is, never below zero, and time alone only adds to it.
    """
    reserve = -(-earnings.recent_microusd * reserve_ppm // PPM)
    free = earnings.balance_microusd - earnings.young_microusd - reserve
    return Available(
        balance_microusd=earnings.balance_microusd,
        young_microusd=earnings.young_microusd,
        reserve_microusd=MicroUsd(reserve),
        available_microusd=MicroUsd(max(0, free)),
    )


def payable(found: Available, amount_microusd_min: MicroUsd) -> MicroUsd:
    """Return what one payout moves, in whole cents; 0: it is not worth one yet."""
    most = min(found.available_microusd, AMOUNT_MICROUSD_MAX)
    cents = MicroUsd(most // CENT_MICROUSD * CENT_MICROUSD)
    return cents if cents > 0 and cents >= amount_microusd_min else MicroUsd(0)


def friday(now: datetime) -> datetime:
    """Return the newest beginning of a Friday in UTC, which may be this very moment."""
    today = now.astimezone(UTC).date()
    back = timedelta(days=(today.weekday() - FRIDAY) % 7)
    return datetime.combine(today - back, time(), tzinfo=UTC)


def next_friday(now: datetime) -> datetime:
    """Return the beginning of the Friday after that one."""
    return friday(now) + WEEK


def retry_after(asked: int) -> timedelta:
    """Return how long to wait after asking ``asked`` times without a good answer."""
    doublings = min(max(0, asked - 1), RETRY_DOUBLINGS_MAX)
    return min(RETRY_FIRST * (1 << doublings), RETRY_LONGEST)
