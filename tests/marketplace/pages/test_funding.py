"""Renting an hour ahead, and what its page says of the money."""

from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.funding import KEPT, Funding
from marketplace.ledger import queries as ledger
from marketplace.placements.actions.request_stop import request_stop
from marketplace.rentals.models import Rental
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW, after


def test_an_hour_is_quoted_set_aside_and_shown(renter: Client, market: Market, alice: User) -> None:
    page = renter.get(rent_url(market))
    asked = {"hours": "12", "funding": "rolling"}
    quoted = renter.post(rent_url(market), filled(page, **asked, intent="quote"))
    shown = quoted.content.decode()
    assert quoted.context["quote"].worst_total == "$43.20"
    assert 'id="held">$3.60<' in shown
    # Ten dollars are enough for an hour, and not for all of it.
    assert "more in your balance" not in shown
    reply = renter.post(rent_url(market), filled(quoted, **asked))
    rental = Rental.objects.get(renter=alice)
    assert (rental.funding, ledger.held(alice.pk)) == (Funding.ROLLING, 3_600_000)
    detail = renter.get(reply.headers["Location"]).content.decode()
    assert 'id="held">$3.60, an hour ahead<' in detail
    assert 'id="paid-until"' in detail


def test_its_page_says_until_when_files_without_money_are_kept(
    renter: Client, market: Market, alice: User
) -> None:
    rental = market.rent(alice, lease_s=30 * 86_400, funding=Funding.ROLLING)
    url = f"/rentals/{rental.id}/"
    assert 'id="files-until"' not in renter.get(url).content.decode()
    request_stop(
        placement_id=rental.placement_id, reason_code="balance_out", reason="-", now=after(1)
    )
    Rental.objects.update(files_until=NOW + KEPT)
    page = renter.get(url).content.decode()
    assert 'id="files-until"' in page
    assert "8 Mar" in page
    assert 'id="paid-until"' not in page
