"""This will count anew what a host earned each day, from the transfers, while money moves."""

from django.db import transaction

from marketplace.domain.ledger import AccountKind
from marketplace.ledger.models import Account, EarnedDay
from marketplace.metering import earned_sql


@transaction.atomic
def recount_earned(*, host_id: int) -> bool:
    """Return whether the host's days were other ones."""
    # Whoever posts earnings, and so counts them, holds it.
    earnings = Account.objects.filter(user_id=host_id, kind=AccountKind.EARNINGS)
    list(earnings.select_for_update(no_key=True))
    rows = EarnedDay.objects.filter(host_id=host_id).order_by("day", "machine_id")
    counted = rows.values_list("day", "machine_id", "earned_microusd", "fee_microusd")
    before = list(counted)
    rows.delete()
    earned_sql.fill(host_id)
    return list(counted.all()) != before
