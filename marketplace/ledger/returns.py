"""This will show what came back of a charge as one, whatever accounts its parts came from.

Who paid which part is between the site and the host (docs/decisions/0056-reports-about-rentals.md).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Concat, Left, Length

from marketplace.domain.ledger import TransferKind
from marketplace.ledger.models import Transfer

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Whole(TypedDict):
        """What a transfer, or the return that it begins, moves."""

        whole: int


#: How causes of a return's parts end, but the first one's: two give, and it comes back to two
#: accounts, so that three transfers move it all.
NEXT = (":2", ":3")
_IS_NEXT = Q(kind=TransferKind.REFUND) & Q(
    *(Q(cause__endswith=one) for one in NEXT), _connector="OR"
)


def causes(cause: str) -> Sequence[str]:
    """Return the causes of a return's parts, in order: there are no more parts than these."""
    return (cause, *(cause + end for end in NEXT))


def whole_cause() -> Case:
    """Return the cause of a transfer, and for each part of a return that of its first part."""
    first = Left("cause", Length("cause") - len(NEXT[0]))
    return Case(When(_IS_NEXT, then=first), default=F("cause"))


def parts(of: QuerySet[Transfer, Any]) -> QuerySet[Transfer, Any]:
    """Return which of these transfers are further parts of the return that a query is about."""
    causes = [Concat(OuterRef("cause"), Value(one)) for one in NEXT]
    return of.order_by().filter(_IS_NEXT, cause__in=causes)


def as_one(of: QuerySet[Transfer]) -> "QuerySet[WithAnnotations[Transfer, Whole]]":
    """Return these transfers, of each return the first part alone; ``whole`` is all of it."""
    rest = parts(of).values("kind").annotate(sum=Sum("amount_microusd")).values("sum")
    more = Case(
        When(kind=TransferKind.REFUND, then=Coalesce(Subquery(rest), Value(0))), default=Value(0)
    )
    return of.exclude(_IS_NEXT).annotate(whole=F("amount_microusd") + more)
