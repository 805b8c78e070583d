"""This will recompute every account from its transfers and name what does not agree."""

from typing import TYPE_CHECKING, TypedDict

from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from marketplace.domain.ledger import NEVER_NEGATIVE
from marketplace.domain.money import format_usd
from marketplace.ledger.models import Account, Hold, Transfer

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Sums(TypedDict):
        """What an account's transfers add up to."""

        debits_summed: int
        credits_summed: int


def audit() -> list[str]:
    """Return one sentence for each thing that is wrong; an empty list means that all is well."""
    problems: list[str] = []
    total = 0
    # Counters and sums come from one SQL statement, hence from one instant: the audit may run
    # while money moves.
    for account in _recomputed().iterator(chunk_size=2000):
        total += account.balance_microusd
        problems += _problems_of(account, account.debits_summed, account.credits_summed)
    if total:
        problems.append(f"All accounts together hold {format_usd(total)} instead of nothing.")
    problems += [
        f"Hold {hold.pk} was released but still holds {format_usd(hold.account.balance_microusd)}."
        for hold in _released_but_full()
    ]
    return problems


def _recomputed() -> "QuerySet[WithAnnotations[Account, Sums]]":
    return Account.objects.annotate(
        debits_summed=_summed("debit"), credits_summed=_summed("credit")
    ).order_by("pk")


def _summed(side: str) -> Coalesce:
    rows = Transfer.objects.filter(**{side: OuterRef("pk")}).order_by().values(side)
    sums = rows.annotate(summed=Sum("amount_microusd")).values("summed")
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), 0)


def _problems_of(account: Account, debits: int, credits_: int) -> list[str]:
    problems = []
    if account.debits_posted != debits:
        problems.append(f"Account {account} counts {account.debits_posted} out, not {debits}.")
    if account.credits_posted != credits_:
        problems.append(f"Account {account} counts {account.credits_posted} in, not {credits_}.")
    if account.kind in NEVER_NEGATIVE and credits_ < debits:
        problems.append(f"Account {account} owes {format_usd(debits - credits_)}.")
    return problems


def _released_but_full() -> QuerySet[Hold]:
    return (
        Hold.objects.select_related("account")
        .filter(released_at__isnull=False)
        .exclude(account__credits_posted=F("account__debits_posted"))
        .order_by("pk")
    )
