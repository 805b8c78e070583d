"""This will bound how long one network address keeps the database searching."""

from contextlib import suppress
from datetime import datetime, timedelta

from marketplace.accounts.actions.count_attempt import Limit, TooManyAttempts, check, count
from marketplace.domain.offer_query import OfferQuery
from marketplace.offers import queries
from marketplace.offers.search import SearchTooSlow

#: each took as much of the database as thousands of others
SLOW = Limit("search for long from a network address", 10, timedelta(minutes=5))


def search(
    query: OfferQuery, *, now: datetime, viewer_id: int | None, address: str
) -> queries.OfferPage:
    """Search as ``queries.search`` does, for somebody at this network address.

    :raises SearchTooSlow: when too many offers would have to be looked through.
    :raises TooManyAttempts: when too many searches from there were too slow lately.
    """
    if query.words or query.conditions:
        # All others are read off an index, past what is fully rented.
        check(limit=SLOW, subject=address, now=now)
    try:
        return queries.search(query, now=now, viewer_id=viewer_id)
    except SearchTooSlow:
        # Others from there may have used it up meanwhile.
        with suppress(TooManyAttempts):
            count(limit=SLOW, subject=address, now=now)
        raise
