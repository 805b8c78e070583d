"""This will bound how long one network address keeps the database searching."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from time import monotonic
from typing import Any

from django.db import connection

from marketplace.accounts.actions.count_attempt import Limit, TooManyAttempts, check, count
from marketplace.domain.offer_query import OfferQuery
from marketplace.offers import queries
from marketplace.offers.search import SEARCH_MS_MAX, SearchTooSlow

#: in milliseconds: ten searches that are given up, or what takes the database as long
SLOW = Limit("search for long from a network address", 10 * SEARCH_MS_MAX, timedelta(minutes=5))
#: what takes no longer is not counted: with an index a search takes a few of them
QUICK_MS = 250


def search(
    query: OfferQuery, *, now: datetime, viewer_id: int | None, address: str
) -> queries.OfferPage:
    """Search as ``queries.search`` does, for somebody at this network address.

    :raises SearchTooSlow: when too many offers would have to be looked through.
    :raises TooManyAttempts: when searches from there took too long lately, all together.
    """
    # All others are read off an index, whoever looks: where one of them is given up, the site is
    # slow, and not what was asked.
    if not (query.words or query.conditions):
        return queries.search(query, now=now, viewer_id=viewer_id)
    check(limit=SLOW, subject=address, now=now)
    watch = _Watch()
    try:
        with connection.execute_wrapper(watch):
            page = queries.search(query, now=now, viewer_id=viewer_id)
    except SearchTooSlow:
        _count(SEARCH_MS_MAX, address, now)
        raise
    if watch.took_ms > QUICK_MS:
        _count(ceil(watch.took_ms), address, now)
    return page


class _Watch:
    """Adds up how long statements take, and not what waits for a connection or makes the page."""

    def __init__(self) -> None:
        self.took_ms = 0.0

    def __call__(self, execute: Callable[..., Any], *told: Any) -> Any:
        began = monotonic()
        try:
            return execute(*told)
        finally:
            self.took_ms += 1000 * (monotonic() - began)


def _count(took_ms: int, address: str, now: datetime) -> None:
    # Others from there may have used it up meanwhile.
    with suppress(TooManyAttempts):
        count(limit=SLOW, subject=address, now=now, weight=took_ms)
