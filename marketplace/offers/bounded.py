"""This will bound how long one network address keeps the database searching."""

from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

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
    # All others are read off an index, whoever looks.
    walks = bool(query.words or query.conditions)
    if walks:
        check(limit=SLOW, subject=address, now=now)
    began = monotonic()
    try:
        page = queries.search(query, now=now, viewer_id=viewer_id)
    except SearchTooSlow:
        _count(SEARCH_MS_MAX, address, now)
        raise
    took_ms = 1 + int(1000 * (monotonic() - began))
    if walks and took_ms > QUICK_MS:
        _count(took_ms, address, now)
    return page


def _count(took_ms: int, address: str, now: datetime) -> None:
    # Others from there may have used it up meanwhile.
    with suppress(TooManyAttempts):
        count(limit=SLOW, subject=address, now=now, weight=took_ms)
