"""Pages call a rental by its name, and find it by state and text."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import Market

NAME = "run <7>"
SHOWN = "run &lt;7&gt;"


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    return market.rent(alice, name=NAME)


def test_the_form_names_a_rental_and_its_page_renames_it(market: Market, renter: Client) -> None:
    form = renter.get(rent_url(market))
    reply = renter.post(rent_url(market), filled(form, name=NAME))
    path = reply.headers["Location"]
    page = renter.get(path).content.decode()
    assert f"<title>{SHOWN} – Berth</title>" in page
    assert f'<h1 class="fixed-title">{SHOWN}</h1>' in page
    assert renter.post(f"{path}name", {"name": "other"}).headers["Location"] == path
    assert "<title>other – Berth" in renter.get(path).content.decode()
    assert "<title>Bill of other" in renter.get(f"{path}bill").content.decode()
    # Who rents one like it begins with its name.
    again = renter.get(f"{rent_url(market)}?like={Rental.objects.get().id}").content.decode()
    assert 'name="name" value="other"' in again
    renter.post(f"{path}name", {"name": ""})
    assert "<title>debian:12 – Berth" in renter.get(path).content.decode()


def test_a_name_that_nobody_can_read_is_refused_and_says_why(
    renter: Client, rental: Rental
) -> None:
    path = f"/rentals/{rental.id}/"
    reply = renter.post(f"{path}name", {"name": "a\u202eb"})
    assert reply.status_code == 422
    assert '<details class="asks" id="rename" open>' in reply.content.decode()
    assert renter.post(f"{path}name", {"name": "x" * 61}).status_code == 422
    rental.refresh_from_db()
    assert rental.name == NAME


def test_the_list_finds_by_state_and_text_in_the_same_queries(
    market: Market,
    renter: Client,
    alice: User,
    rental: Rental,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    market.rent(alice, name="other", lease_s=60, now=scene.after(1))
    market.rent(alice, lease_s=60, now=scene.after(2))
    renter.get("/rentals/")
    # session, user, those found, how kinds begin, proven addresses; balance and notices above
    for asked, shown in (("q=RUN", 1), ("state=live", 3), (f"q={str(rental.id)[:6]}", 1)):
        with django_assert_num_queries(8):
            page = renter.get(f"/rentals/?{asked}").content.decode()
        assert page.count('<td class="title">') == shown, asked
    assert SHOWN in page
    assert '<option value="queued">– Waiting for the machine</option>' in page
    assert 'href="/rentals/reports/"' in page
    assert "No rental matches" in renter.get("/rentals/?state=over").content.decode()
    # What is no state is said, and hides nothing.
    page = renter.get("/rentals/?state=x").content.decode()
    assert page.count('<td class="title">') == 3
    assert "field-wrong" in page
    part = renter.get("/rentals/?q=run", headers={"HX-Request": "true"}).content.decode()
    assert part.count('<td class="title">') == 1
    assert "<form" not in part
