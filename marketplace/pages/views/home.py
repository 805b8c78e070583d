"""This will show the first page: what the market is and what is for rent now."""

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketplace.domain.offer_query import OfferQuery
from marketplace.offers import queries
from marketplace.offers.search import SearchTooSlow
from marketplace.offers.totals import totals
from marketplace.pages.shown import offer
from marketplace.pages.shown.totals import numbers

ROWS = 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the market in one screen."""
    now = timezone.now()
    context = {
        "rows": [offer.line(item) for item in _best(now)],
        "numbers": numbers(totals(now)),
    }
    return render(request, "pages/home.html", context)


def _best(now: datetime) -> Sequence[queries.OfferRow]:
    try:
        return queries.search(OfferQuery(rows_max=ROWS), now=now).items
    except SearchTooSlow:
        # A large market that is nearly all rented: what it is can be told all the same.
        return ()
