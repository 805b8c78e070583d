"""This will write a receipt for each payment that arrived."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.invoice import Line
from marketplace.domain.money import MicroUsd
from marketplace.domain.vat import Vat
from marketplace.one_by_one import one_by_one
from marketplace.papers.actions.issue import issue
from marketplace.papers.content import Content, buyer_now, seller_now
from marketplace.papers.models import PaperKind
from marketplace.payments.models import TopUp, TopUpState

#: payments that one pass looks at; the next pass goes on
PAYMENTS_MAX = 100
NO_TAX = "Money added to a balance is no service yet: what it pays for is on the monthly invoices."
TEST_GATEWAY = "test"
TEST = "Test money: nobody paid anything."


def issue_receipts(*, now: datetime) -> int:
    """Return how many receipts were written."""
    paid = TopUp.objects.filter(state=TopUpState.PAID, receipt=None)
    found = paid.order_by("settled_at", "id").values_list("id", flat=True)
    issued = one_by_one(
        found,
        lambda top_up_id: _receipt(top_up_id, now),
        failed="Receipt not issued",
        most=PAYMENTS_MAX,
    )
    return sum(issued)


@transaction.atomic
def _receipt(top_up_id: UUID, now: datetime) -> bool:
    rows = TopUp.objects.select_for_update(of=("self",))
    paid = rows.filter(pk=top_up_id, state=TopUpState.PAID, receipt=None).first()
    if paid is None:
        return False
    day = paid.settled_at or paid.created_at
    text = f"Money added to your balance{f' by {paid.card_text}' if paid.card_text else ''}"
    content = Content(
        seller=seller_now(),
        buyer=buyer_now(paid.user_id),
        lines=(Line(text, "", MicroUsd(paid.amount_microusd)),),
        vat=Vat(0, MicroUsd(0), NO_TAX),
        about=f"Payment of {day:%Y-%m-%d} (UTC)",
        notes=(TEST,) if paid.gateway == TEST_GATEWAY else (),
    )
    issue(user_id=paid.user_id, kind=PaperKind.RECEIPT, content=content, top_up=paid, now=now)
    return True
