"""A search that takes too long is given up, says so, and is counted where it came from."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client

from marketplace.accounts.models import AttemptCount
from marketplace.domain.offer_query import OfferQuery
from marketplace.domain.query_language import parse
from marketplace.offers import bounded, queries
from marketplace.offers.search import SEARCH_MS_MAX, SearchTooSlow
from tests.marketplace.scene import NOW


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("query", "counted"),
    [
        (OfferQuery(("epyc",), verified=False), [SEARCH_MS_MAX]),
        # Nobody who asked for nothing in particular is to blame.
        (OfferQuery(verified=False), []),
    ],
)
def test_a_search_that_takes_too_long_is_given_up_and_the_next_one_is_not(
    query: OfferQuery, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the next one takes.
    monkeypatch.setattr(bounded, "QUICK_MS", SEARCH_MS_MAX)

    def find() -> queries.OfferPage:
        try:
            return bounded.search(query, now=NOW, viewer_id=None, address="192.0.2.1")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE offers_offer IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(SearchTooSlow, match="name a GPU"):
                pool.submit(find).result(60)
        assert pool.submit(find).result(60).items == ()
    assert list(AttemptCount.objects.values_list("attempts", flat=True)) == counted


@pytest.mark.django_db(transaction=True)
def test_the_first_page_goes_without_offers_where_a_search_takes_too_long() -> None:
    def look() -> int:
        try:
            return Client().get("/").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        # The market's numbers are kept for a while.
        assert pool.submit(look).result(60) == 200
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE offers_offer IN ACCESS EXCLUSIVE MODE")
            assert pool.submit(look).result(60) == 200


@pytest.mark.django_db(transaction=True)
def test_a_search_bounds_nothing_that_follows_it_in_a_transaction() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        AttemptCount.objects.create(key="before", attempts=1, resets_at=NOW)
        queries.search(OfferQuery(verified=False), now=NOW)
        queries.search(
            OfferQuery(conditions=parse("gpu_name=H100").conditions, verified=False), now=NOW
        )
        for setting in ("statement_timeout", "enable_bitmapscan", "enable_sort", "jit"):
            cursor.execute(
                "SELECT current_setting(%s) = reset_val FROM pg_settings WHERE name = %s",
                [setting, setting],
            )
            assert cursor.fetchone() == (True,), setting
    assert AttemptCount.objects.filter(key="before").exists()
