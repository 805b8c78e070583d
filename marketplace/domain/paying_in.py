"""This will hold the rules of money from cards: what may go back, and who bears a dispute."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.money import MicroUsd

#: of every payment, refund and dispute
CURRENCY = "usd"
#: cards know whole cents only
MICROUSD_PER_CENT = 10_000
#: a card is asked by itself at most so often
AUTO_TOP_UP_EVERY = timedelta(hours=1)
#: after so many refusals one after the other it is asked no more
AUTO_TOP_UP_DECLINES_MAX = 3
#: a question to the card processor is repeated after this long at first
ASK_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AutoTopUpRule:
    """When a person's card is asked for money without them."""

    #: below this balance
    threshold_microusd: MicroUsd
    amount_microusd: MicroUsd
    #: of all that it takes in a calendar month, UTC
    month_microusd_max: MicroUsd


@dataclass(frozen=True, slots=True)
class Loss:
    """Where the money of a lost dispute comes from; the three add up to it."""

    frozen_microusd: MicroUsd
    wallet_microusd: MicroUsd
    #: the site's own money
    borne_microusd: MicroUsd


def is_whole_cents(amount_microusd: MicroUsd) -> bool:
    """Say whether a card can be asked for this amount."""
    return amount_microusd % MICROUSD_PER_CENT == 0


def cents(amount_microusd: MicroUsd) -> int:
    """Return the amount in cents, which it must be whole ones of."""
    return amount_microusd // MICROUSD_PER_CENT


def of_cents(amount_cents: int) -> MicroUsd:
    """Return so many cents."""
    return MicroUsd(amount_cents * MICROUSD_PER_CENT)


def refundable(
    *, paid: MicroUsd, refunded: MicroUsd, disputed: MicroUsd, to_spend: MicroUsd
) -> MicroUsd:
    """Return the most that can go back of one payment: whole cents, not spent and not disputed."""
    most = max(0, min(paid - refunded - disputed, to_spend))
    return MicroUsd(most - most % MICROUSD_PER_CENT)


def loss(*, amount: MicroUsd, frozen: MicroUsd, to_spend: MicroUsd) -> Loss:
    """Return who pays for a lost dispute: what was frozen, what can be spent, then the site."""
    from_frozen = min(amount, frozen)
    from_wallet = min(amount - from_frozen, max(0, to_spend))
    return Loss(
        MicroUsd(from_frozen), MicroUsd(from_wallet), MicroUsd(amount - from_frozen - from_wallet)
    )


def top_up_is_due(
    rule: AutoTopUpRule,
    *,
    to_spend: MicroUsd,
    this_month: MicroUsd,
    asked_at: datetime | None,
    now: datetime,
) -> bool:
    """Say whether the card is to be asked now; ``this_month``: what it was asked for already."""
    return (
        to_spend < rule.threshold_microusd
        and this_month + rule.amount_microusd <= rule.month_microusd_max
        and (asked_at is None or now - asked_at >= AUTO_TOP_UP_EVERY)
    )


def next_ask(*, began_at: datetime, now: datetime) -> datetime:
    """Return when to ask again about what is still open: the older it is, the later."""
    return now + max(ASK_AGAIN_AFTER, (now - began_at) / 10)
