"""A renter bids on a page, reads who wins, sees a notice and bids more, without scripts."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.offers.models import Offer
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import Market


@pytest.fixture
def bids(market: Market) -> Market:
    Offer.objects.update(bid_floor_microusd=900_000)
    return market


def test_a_bid_is_quoted_and_rented_at_its_price(renter: Client, bids: Market, alice: User) -> None:
    page = renter.get(rent_url(bids))
    assert "Bids from $0.90 an hour win now." in page.content.decode()
    low = filled(page, bid="0.5", intent="quote")
    assert "is below" not in renter.post(rent_url(bids), low).content.decode()
    quoted = renter.post(rent_url(bids), filled(page, bid="1.2", intent="quote"))
    assert quoted.context["quote"].worst_total == "$1.20"
    reply = renter.post(rent_url(bids), filled(quoted, bid="1.2"))
    rental = Rental.objects.get(renter=alice)
    assert reply.headers["Location"] == f"/rentals/{rental.id}/"
    assert (rental.price_type, rental.price_hour_microusd) == ("interruptible", 1_200_000)
    assert "It bids $1.20 an hour." in renter.get(f"/rentals/{rental.id}/").content.decode()


def test_a_bid_too_low_is_said_before_and_refused_after(renter: Client, bids: Market) -> None:
    page = renter.get(rent_url(bids))
    quoted = renter.post(rent_url(bids), filled(page, bid="0.5", intent="quote"))
    assert "Your bid does not win now" in quoted.content.decode()
    reply = renter.post(rent_url(bids), filled(quoted, bid="0.5"))
    assert "Your bid is below what this host accepts" in reply.content.decode()
    assert not Rental.objects.exists()


def test_where_no_bids_are_taken_none_is_asked_for(renter: Client, market: Market) -> None:
    page = renter.get(rent_url(market)).content.decode()
    assert 'name="bid"' not in page
    rental = market.rent(User.objects.get(email="alice@example.com"))
    assert 'id="bid-form"' not in renter.get(f"/rentals/{rental.id}/").content.decode()


def test_a_notice_is_shown_and_a_higher_bid_takes_it_back(
    renter: Client, bids: Market, alice: User
) -> None:
    mine = bids.rent(alice, bid_microusd=1_000_000)
    bids.run(mine, at=scene.NOW)
    url = f"/rentals/{mine.id}/"
    assert 'id="outbid"' not in renter.get(url).content.decode()
    mine.placement.outbid_stop_at = scene.after(60)
    mine.placement.save(update_fields=["outbid_stop_at"])
    page = renter.get(url).content.decode()
    assert 'id="outbid"' in page
    assert "data-countdown" in page
    refused = renter.post(f"{url}bid", {"bid": "0.1"})
    assert refused.status_code == 422
    assert "Your bid is below" in refused.content.decode()
    reply = renter.post(f"{url}bid", {"bid": "2"}, follow=True).content.decode()
    assert "The rental has its new bid." in reply
    assert "It bids $2.00 an hour." in reply
    assert 'id="outbid"' not in reply
    assert renter.post(f"/rentals/{mine.placement_id}/bid", {"bid": "2"}).status_code == 404


def test_what_was_outbid_says_that_it_comes_back(renter: Client, bids: Market, alice: User) -> None:
    mine = bids.rent(alice, bid_microusd=1_000_000)
    placement = mine.placement
    type(placement).objects.filter(id=placement.id).update(
        state="stopped", want="stop", holds_compute=False, resume_due_at=scene.NOW, reason="Outbid."
    )
    page = renter.get(f"/rentals/{mine.id}/").content.decode()
    assert "Outbid. Until then nothing is billed." in page
