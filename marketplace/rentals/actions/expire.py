"""This will stop rentals whose lease or money is over."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from marketplace.domain import pricing
from marketplace.domain.placement import FUNDED
from marketplace.kept_sql import kept_of_now
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions import request_end
from marketplace.rentals.models import Rental

RENTALS_MAX = 500


def expire(*, now: datetime) -> int:
    """Ask for the end of every rental that is funded no longer; return how many."""
    if not list(_any_over(now)):
        # As nearly always: to write it for all of them takes longer than to answer it.
        return 0
    ended = one_by_one(
        _over(now).select_related("placement"),
        lambda rental: _expire(rental, now),
        failed="Rental not expired",
        most=RENTALS_MAX,
    )
    return len(ended)


def _over(now: datetime) -> QuerySet[Rental]:
    over = Rental.objects.filter(placement__state__in=FUNDED, placement__funded_until__lte=now)
    # The order also leads to the index of it (tests/marketplace/test_indexes.py).
    return over.order_by("placement__funded_until", "id")


@kept_of_now
def _any_over(now: datetime) -> QuerySet[Rental, tuple[Any, ...]]:
    return _over(now).values_list("id")[:1]


def _expire(rental: Rental, now: datetime) -> None:
    bound = pricing.bound_by(
        price_hour_microusd=rental.price_hour_microusd,
        lease_s=rental.lease_s,
        cap_microusd=rental.cap_microusd,
        term_ms=(rental.placement.funded_until - rental.started_at) // timedelta(milliseconds=1),
        from_ms=rental.priced_from_ms,
        from_microusd=rental.priced_from_microusd,
    )
    request_end.request_end(
        placement_id=rental.placement_id,
        reason_code=bound.value,
        reason=pricing.REASONS[bound],
        now=now,
    )
