"""This will count anew what hosts earned each day, from their transfers, while money moves."""

from django.db import transaction

from marketplace.domain.ledger import AccountKind
from marketplace.ledger.models import Account, EarnedDay
from marketplace.metering import earned_sql


def recount_earned() -> int:
    """Return of how many hosts the days were other ones; each host waits for their own alone."""
    return sum(_recount(host_id) for host_id in earned_sql.hosts())


@transaction.atomic
def _recount(host_id: int) -> bool:
    # Whoever posts earnings, and so counts them, holds it.
    accounts = Account.objects.select_for_update(no_key=True).filter(
        user_id=host_id, kind=AccountKind.EARNINGS
    )
    list(accounts)
    rows = EarnedDay.objects.filter(host_id=host_id).order_by("day", "machine_id")
    counted = rows.values_list("day", "machine_id", "earned_microusd", "fee_microusd")
    before = list(counted)
    rows.delete()
    earned_sql.fill(host_id)
    return list(counted.all()) != before
