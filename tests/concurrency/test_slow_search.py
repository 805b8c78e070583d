"""A search that takes too long is given up, and says so."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from marketplace.domain.offer_query import OfferQuery
from marketplace.offers import queries
from marketplace.offers.search import SearchTooSlow
from tests.marketplace.scene import NOW


@pytest.mark.django_db(transaction=True)
def test_a_search_that_takes_too_long_is_given_up_and_the_next_one_is_not() -> None:
    def find() -> queries.OfferPage:
        try:
            return queries.search(OfferQuery(verified=False), now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE offers_offer IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(SearchTooSlow, match="name a GPU"):
                pool.submit(find).result(60)
        assert pool.submit(find).result(60).items == ()
