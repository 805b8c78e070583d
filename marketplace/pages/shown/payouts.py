"""This will say in words when a host is paid, how much, and why it is not more."""

from dataclasses import dataclass

from marketplace.domain.features import SENTENCES, Feature
from marketplace.domain.money import PPM, format_usd
from marketplace.domain.payout import AMOUNT_MICROUSD_MAX, PayoutState
from marketplace.domain.tax import COUNTRIES, masked
from marketplace.pages.shown.moment import Moment
from marketplace.payouts.models import HostDetails, Payout
from marketplace.payouts.outlook import Obstacle, Outlook

LABELS = {
    PayoutState.PENDING: ("Being sent", "busy"),
    PayoutState.SENT: ("On its way to your bank", "busy"),
    PayoutState.PAID: ("Paid", "good"),
    PayoutState.FAILED: ("Came back", "bad"),
}


@dataclass(frozen=True, slots=True)
class PayoutLine:
    week: str
    amount: str
    label: str
    tone: str
    reason: str
    asked: Moment
    settled: Moment


@dataclass(frozen=True, slots=True)
class DetailsShown:
    legal_name: str
    country: str
    tax_id: str
    address: str


@dataclass(frozen=True, slots=True)
class PayoutsPage:
    balance: str
    available: str
    next_day: str
    amount: str
    #: why it is nothing; empty: it is something
    obstacle: str
    #: one sentence for each part of the balance that stays
    kept: tuple[str, ...]
    chain_only: bool
    #: there is an account, and it can be paid to
    enabled: bool
    #: the host may be led to the processor now
    may_onboard: bool
    account: str
    #: None: the host did not say yet
    details: DetailsShown | None


def page(found: Outlook) -> PayoutsPage:
    """Return what the page shows but for the history."""
    chain_only = found.obstacle is Obstacle.CHAIN_ONLY
    told = found.details is not None and bool(found.details.country)
    account = found.account
    return PayoutsPage(
        balance=format_usd(found.now.balance_microusd),
        available=format_usd(found.now.available_microusd),
        next_day=f"{found.friday:%A, %-d %b %Y}",
        amount=format_usd(found.amount_microusd),
        obstacle=_obstacle(found),
        kept=_kept(found),
        chain_only=chain_only,
        enabled=account is not None and account.enabled_at is not None,
        may_onboard=told and not chain_only and found.obstacle is not Obstacle.SITE,
        account=f"{account.gateway.capitalize()}, {account.country}" if account else "",
        details=_details(found.details) if found.details and told else None,
    )


def line(payout: Payout) -> PayoutLine:
    """Return one payout in words."""
    label, tone = LABELS[PayoutState(payout.state)]
    if payout.state == PayoutState.SENT and payout.returned_at:
        label, tone = "Your bank sent it back", "bad"
    return PayoutLine(
        week=f"{payout.week:%-d %b %Y}",
        amount=format_usd(payout.amount_microusd),
        label=label,
        tone=tone,
        reason=payout.reason,
        asked=Moment.of(payout.created_at),
        settled=Moment.of(payout.settled_at),
    )


def _obstacle(found: Outlook) -> str:
    least = format_usd(found.terms.amount_microusd_min)
    shut = found.account.reason if found.account and found.account.reason else ""
    return {
        Obstacle.NONE: "",
        Obstacle.SITE: "This site pays nothing out yet. What you earn stays yours until it does.",
        Obstacle.CHAIN_ONLY: "You chose emission on chain only: nothing is paid to a bank, and what"
        " renters pay stays in your earnings until you choose otherwise.",
        Obstacle.DETAILS: "Write your tax details first, below.",
        Obstacle.ACCOUNT: "Connect a bank account first, below.",
        Obstacle.SHUT: f"Your account cannot be paid to now. {shut}".strip(),
        Obstacle.DISPUTE: "A payment of yours by card is disputed, or was lost so: nothing is paid"
        " out until that is settled. Write to the site's operator.",
        Obstacle.AUDIT: "The site's audit found a disagreement in its books: payouts wait until the"
        " operator has looked into it. What you earned stays yours.",
        Obstacle.OFF: SENTENCES[Feature.PAYOUTS],
        Obstacle.LITTLE: f"A payout moves at least {least}; until then it adds up.",
    }[found.obstacle]


def _kept(found: Outlook) -> tuple[str, ...]:
    then, days = found.then, found.terms.hold.days
    sentences = []
    if then.young_microusd:
        sentences.append(
            f"{format_usd(then.young_microusd)} will be younger than {days} days by then; it can go"
            " out a week later."
        )
    if then.reserve_microusd:
        share = f"{found.terms.reserve_ppm * 100 / PPM:g}"
        sentences.append(
            f"{format_usd(then.reserve_microusd)} stays for disputes: {share} % of what you earned"
            f" in the {30 - days} days before those. It is free 30 days after it was earned."
        )
    short = then.young_microusd + then.reserve_microusd - then.balance_microusd
    if short > 0:
        sentences.append(
            f"{format_usd(short)} of that was paid out or given back already, so nothing is"
            " available."
        )
    if then.available_microusd > AMOUNT_MICROUSD_MAX:
        sentences.append(f"One payout moves at most {format_usd(AMOUNT_MICROUSD_MAX)}.")
    return tuple(sentences)


def _details(details: HostDetails) -> DetailsShown:
    return DetailsShown(
        legal_name=details.legal_name,
        country=COUNTRIES.get(details.country, details.country),
        tax_id=masked(details.tax_id),
        address=details.address,
    )
