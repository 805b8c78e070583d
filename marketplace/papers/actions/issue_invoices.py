"""This will write each person's invoice of each month that is over."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, Q

from marketplace.accounts.models import User
from marketplace.domain.invoice import month_after, month_of
from marketplace.ledger.models import Hold
from marketplace.one_by_one import one_by_one
from marketplace.papers.actions.issue import issue
from marketplace.papers.content import made_out
from marketplace.papers.models import BillingDetails, PaperKind
from marketplace.papers.usage import charged, usage

#: people whose next month one pass looks at; the next pass goes on
PEOPLE_MAX = 20
#: A tick that began before midnight posts under its time: no pass may take longer than this.
SETTLED_AFTER = timedelta(hours=2)


class LinesWrong(RuntimeError):
    """The lines do not add up to what the ledger charged."""


def issue_invoices(*, now: datetime) -> int:
    """Return how many months of people this pass looked at."""
    due = month_of(now - SETTLED_AFTER)
    late = Q(billing=None) | Q(billing__next_month=None) | Q(billing__next_month__lt=due)
    people = (
        User.objects.filter(late, holds__created_at__lt=due)
        .order_by(F("billing__next_month").asc(nulls_first=True), "pk")
        .distinct()
    )
    looked = one_by_one(
        people.values_list("pk", flat=True),
        lambda user_id: _invoice(user_id, due, now),
        failed="Invoice not issued",
        most=PEOPLE_MAX,
    )
    return sum(looked)


def about(month: datetime) -> str:
    """Return what an invoice is about."""
    return f"Usage of {month:%Y-%m} (UTC)"


@transaction.atomic
def _invoice(user_id: int, due: datetime, now: datetime) -> bool:
    """Look at the person's next month, once: its row is locked and says which one that is."""
    BillingDetails.objects.get_or_create(user_id=user_id)
    person = BillingDetails.objects.select_for_update().get(user_id=user_id)
    month = person.next_month or _first_month(user_id)
    if month >= due:
        return False
    person.next_month = month_after(month)
    person.save(update_fields=["next_month"])
    lines = usage(user_id, month, person.next_month)
    if not lines:
        return True
    content = made_out(user_id=user_id, lines=lines, about=about(month))
    if content.total_microusd != charged(user_id, month, person.next_month):
        raise LinesWrong
    issue(user_id=user_id, kind=PaperKind.INVOICE, content=content, month=month, now=now)
    return True


def _first_month(user_id: int) -> datetime:
    first = Hold.objects.filter(user_id=user_id).aggregate(first=Min("created_at"))["first"]
    return month_of(first)
