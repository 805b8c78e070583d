"""This will write down what a bank should know about a disputed payment."""

from collections.abc import Iterator

from marketplace.accounts.teams import email_of
from marketplace.domain.money import format_usd
from marketplace.ledger import queries as ledger
from marketplace.metering.models import SignedIntervalRow
from marketplace.payments.models import Dispute
from marketplace.rentals.models import Rental

RENTALS_MAX = 50
LINES_MAX = 100


def evidence(dispute: Dispute) -> str:
    """Return the text: the payment, the person, what they rented since and what it cost.

    Each rental names how much signed usage stands for it; its receipts are checked offline.
    """
    return "\n".join(_lines(dispute)) + "\n"


def _lines(dispute: Dispute) -> Iterator[str]:
    top_up = dispute.top_up
    yield f"Dispute {dispute.id}, {format_usd(dispute.amount_microusd)}, {dispute.reason}"
    if dispute.evidence_due_at:
        yield f"Answer by {dispute.evidence_due_at:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield f"Payment {top_up.reference} of {format_usd(top_up.amount_microusd)}"
    yield f"made {top_up.created_at:%Y-%m-%d %H:%M:%S} UTC with {top_up.card_text or 'a card'}"
    how = "by the rule that the customer set" if top_up.automatic else "by the customer themselves"
    yield f"asked for {how}; credited {_moment(top_up.settled_at)}"
    customer, email = top_up.user, email_of(top_up.user_id)
    named = f"{customer.team_name}, a team of {email}" if customer.is_team else email
    yield f"Customer {named}, registered {_moment(customer.date_joined)}"
    for sent in top_up.refunds.order_by("created_at", "id"):
        yield f"Refund of {format_usd(sent.amount_microusd)}, {sent.state}, {sent.note}"
    yield ""
    yield "What the customer rented since (times in UTC; usage is signed by the machine):"
    rentals = Rental.objects.filter(renter=top_up.user, meter__charged_microusd__gt=0)
    for rental in rentals.select_related("placement", "meter").order_by("-started_at", "id")[
        :RENTALS_MAX
    ]:
        yield from _rental(rental)
    yield ""
    yield "The customer's statement, newest first:"
    for line in ledger.statement(top_up.user_id, LINES_MAX):
        amount, total = format_usd(line.amount_microusd), format_usd(line.total_microusd)
        yield f"{_moment(line.at)}  {line.kind:<12}{amount:>14}{total:>14}  {line.note}"


def _rental(rental: Rental) -> Iterator[str]:
    placement = rental.placement
    intervals = SignedIntervalRow.objects.filter(placement=placement).count()
    yield f"Rental {rental.id}, begun {_moment(rental.started_at)}, {placement.state}"
    yield f"  charged {format_usd(rental.meter.charged_microusd)}; {intervals} signed receipts of"
    yield f"  placement {placement.pk}, checked by: berth receipts {rental.id} --verify"


def _moment(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "never"
