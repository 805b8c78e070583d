"""This will prepare cards, payments and what became of them for a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.domain.money import format_usd
from marketplace.pages.shown.moment import Moment
from marketplace.payments.models import (
    Dispute,
    DisputeState,
    Refund,
    RefundState,
    TopUp,
    TopUpState,
)
from marketplace.payments.queries import PayingIn

STATES = {
    TopUpState.PENDING: ("On its way", "busy"),
    TopUpState.PAID: ("Paid", "good"),
    TopUpState.REFUSED: ("Not paid", "bad"),
}
REFUND_STATES = {
    RefundState.PENDING: ("On its way back", "busy"),
    RefundState.DONE: ("Sent back", "good"),
    RefundState.FAILED: ("In your balance again", "warn"),
}
DISPUTE_STATES = {
    DisputeState.OPEN: ("Your bank decides", "busy"),
    DisputeState.WON: ("It stands", "good"),
    DisputeState.LOST: ("Given back by the bank", "bad"),
}
BARRED = "No card is taken from this account after a dispute. Write to the site's operator."


@dataclass(frozen=True, slots=True)
class Row:
    """One payment, refund or dispute."""

    at: Moment
    what: str
    detail: str
    amount: str
    state: str
    #: a class of the badge
    tone: str
    #: where its owner goes on with it; empty: nothing is to be done
    url: str = ""
    confirm_url: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """The saved card and its rule."""

    #: empty: none is saved
    card: str
    #: why no card is taken; empty: they are
    barred: str
    is_automatic: bool
    #: why the rule was turned off; empty: it was not
    off_because: str


def cards(found: PayingIn) -> Cards:
    """Return what is set."""
    payer, rule = found.payer, found.rule
    return Cards(
        card=payer.card_text if payer else "",
        barred=BARRED if payer and payer.barred_at else "",
        is_automatic=bool(rule and rule.is_on),
        off_because=rule.off_because if rule and not rule.is_on else "",
    )


def rows(found: PayingIn) -> tuple[Row, ...]:
    """Return everything about the person's payments, newest first."""
    together = sorted(_dated(found), key=lambda dated: dated[0], reverse=True)
    return tuple(shown for _, shown in together)


def row(paid: TopUp) -> Row:
    """Return one payment."""
    state, tone = STATES[TopUpState(paid.state)]
    return Row(
        at=Moment.of(paid.created_at),
        what="Added automatically" if paid.automatic else "Added",
        detail=paid.reason or paid.card_text,
        amount=format_usd(paid.amount_microusd),
        state="Confirm it" if paid.confirm_url else state,
        tone="warn" if paid.confirm_url else tone,
        url=f"/money/top-ups/{paid.pk}/" if paid.confirm_url else "",
        confirm_url=paid.confirm_url,
    )


def _dated(found: PayingIn) -> Iterator[tuple[str, Row]]:
    for paid in found.payments:
        yield paid.created_at.isoformat(), row(paid)
    for sent in found.refunds:
        yield sent.created_at.isoformat(), _refund(sent)
    for dispute in found.disputes:
        yield dispute.opened_at.isoformat(), _dispute(dispute)


def _refund(sent: Refund) -> Row:
    state, tone = REFUND_STATES[RefundState(sent.state)]
    amount = format_usd(-sent.amount_microusd)
    return Row(Moment.of(sent.created_at), "Back to your card", sent.reason, amount, state, tone)


def _dispute(dispute: Dispute) -> Row:
    state, tone = DISPUTE_STATES[DisputeState(dispute.state)]
    amount = format_usd(dispute.amount_microusd)
    return Row(Moment.of(dispute.opened_at), "Disputed", dispute.reason, amount, state, tone)
