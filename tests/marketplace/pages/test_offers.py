"""The first page and the search."""

import re
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.pages.forms.search import ROWS
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market


def more_offers(market: Market, number: int) -> None:
    """Put copies of the market's machine up for rent, each a little dearer."""
    machine, offer = market.machine, market.offer
    for index in range(1, number + 1):
        machine.pk, machine.machine_key = UUID(int=index), f"{index:064x}"
        machine._state.adding = True
        machine.save(force_insert=True)
        offer.pk, offer.machine = UUID(int=index), Machine.objects.get(pk=machine.pk)
        offer.price_hour_microusd += 1000
        offer._state.adding = True
        offer.save(force_insert=True)


def test_the_first_page_explains_the_market_and_lists_what_is_for_rent(market: Market) -> None:
    page = Client().get("/").content.decode()
    assert "Rent a real machine" in page
    assert "4-CPU machine" in page
    assert f"/offers/{market.offer.id}/rent" in page


def test_an_empty_market_says_what_to_do(db: None) -> None:
    assert b"You can host one" in Client().get("/").content


def test_a_search_that_is_not_understood_says_which_part(market: Market) -> None:
    reply = Client().get("/offers/", {"q": "<b>=1 cpu_cores>=1"})
    assert reply.status_code == 200
    assert "“&lt;b&gt;=1” is not understood" in reply.content.decode()


def test_a_search_without_matches_says_how_to_ask_for_less(market: Market) -> None:
    page = Client().get("/offers/", {"cpus_min": "64"}).content.decode()
    assert "No machine fits all of that" in page
    assert 'href="/offers/?checked=anyone"' in page
    assert f"/offers/{market.offer.id}/rent" not in page


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("cpus_min", "4", True),
        ("cpus_min", "5", False),
        ("ram_min", "8", True),
        ("ram_min", "8.5", False),
        ("price_max", "3.60", True),
        ("price_max", "3.59", False),
        ("gpus_min", "1", False),
        ("gpu_model", "h100", False),
        ("place", "DE", True),
        ("place", "FR", False),
        ("place", "europe", True),
        ("place", "asia", False),
        ("disk_min", "100", True),
        ("disk_min", "100.5", False),
        ("reliability_min", "99.5", True),
        ("reliability_min", "99.51", False),
        ("days_min", "1.5", True),
        ("days_min", "31", False),
        ("cuda_min", "12004", True),
        ("cuda_min", "12005", False),
        ("line_min", "80", True),
        ("line_min", "81", False),
        ("price_type", "interruptible", True),
        ("price_type", "reserved", False),
        ("q", "cpu_cores>=4 unit_price<=3.60", True),
        ("q", "cpu_cores>=5", False),
        ("q", "epyc", True),
    ],
)
def test_each_filter_narrows(market: Market, field: str, value: str, found: bool) -> None:
    lines = {"network_down_mbit_s": 800, "network_up_mbit_s": 80}
    runs = {"away_ppm": 5_000, "cuda": 12_004}
    Offer.objects.update(country="DE", bid_floor_microusd=1, **lines, **runs)
    page = Client().get("/offers/", {field: value}).content.decode()
    assert (f"/offers/{market.offer.id}/rent" in page) is found


def test_what_narrows_a_search_is_never_folded_away(market: Market) -> None:
    folded = '<details class="filters-whole" id="more-filters">'
    assert folded in Client().get("/offers/", {"gpu_model": "H100"}).content.decode()
    page = Client().get("/offers/", {"cuda_min": "12004"}).content.decode()
    assert folded.replace(">", " open>") in page
    assert '<option value="12004" selected>12.4 or newer</option>' in page


def test_a_place_is_chosen_from_those_that_hosts_say_they_are_in(market: Market) -> None:
    unlisted = market.offer.pk
    more_offers(market, 2)
    Offer.objects.filter(pk=UUID(int=1)).update(country="JP")
    Offer.objects.filter(pk=UUID(int=2)).update(country="DE")
    Offer.objects.filter(pk=unlisted).update(country="BR", listed=False)
    page = Client().get("/offers/").content.decode()
    places = re.findall(r'<option value="(\w+)"', page.partition('name="place"')[2])
    assert places[: places.index("price")] == ["asia", "europe", "DE", "JP"]
    assert "host says JP" in page
    chosen = Client().get("/offers/", {"place": "NZ"}).content.decode()
    assert '<option value="NZ" selected>New Zealand (NZ)</option>' in chosen
    assert "No machine fits all of that" in chosen


def test_an_unverified_machine_shows_only_when_asked_for(market: Market) -> None:
    Offer.objects.update(verified_until=scene.NOW)
    rent_url = f"/offers/{market.offer.id}/rent"
    assert rent_url not in Client().get("/offers/").content.decode()
    page = Client().get("/offers/", {"checked": "anyone"}).content.decode()
    assert rent_url in page
    assert "Not verified" in page


def test_a_machine_of_which_nothing_is_free_shows_only_when_asked_for(market: Market) -> None:
    rent_url = f"/offers/{market.offer.id}/rent"
    Machine.objects.update(cpus_free=0)
    page = Client().get("/offers/").content.decode()
    assert rent_url not in page
    assert 'href="/offers/?checked=rented"' in page
    assert rent_url in Client().get("/offers/", {"checked": "rented"}).content.decode()
    assert Client().get("/api/v1/offers").json()["items"] == []
    (told,) = Client().get("/api/v1/offers?rented=true").json()["items"]
    assert told["cpus_free"] == 0


def test_a_machine_with_gpus_says_why_it_cannot_be_rented(market: Market) -> None:
    why = "No validator vouches for its GPUs now, so they cannot be rented."
    assert why not in Client().get("/offers/").content.decode()
    Machine.objects.update(gpus_total=1, gpus_free=1, gpu_model="H100")
    Offer.objects.update(verified_until=scene.NOW)
    assert why in Client().get("/offers/", {"checked": "anyone"}).content.decode()
    (told,) = Client().get("/api/v1/offers?verified=false").json()["items"]
    assert told["unverified_reason"] == why


@pytest.mark.parametrize(
    ("value_microusd", "shown"),
    [
        (99, "$0.0000"),
        (1_234_567, "$1.2345"),
        (1_005_000_000, "$1,005.0000"),
        # More than a float tells apart.
        (4_500_000_000_000_001_299, "$4,500,000,000,000.0012"),
    ],
)
def test_what_a_result_costs_is_told_to_a_hundredth_of_a_cent(
    market: Market, value_microusd: int, shown: str
) -> None:
    Machine.objects.update(gpus_total=1, gpus_free=1, gpu_model="H100")
    Offer.objects.update(
        int8_gops=1_979_000, bandwidth_mb_s=3_350_000, value_microusd=value_microusd
    )
    page = Client().get("/offers/").content.decode()
    assert f"3,350 GB/s, {shown} per 1,000 TOPS" in page


def test_memory_that_was_filled_stands_beside_what_the_machine_says(market: Market) -> None:
    Machine.objects.update(gpus_total=1, gpus_free=1, gpu_model="H100", vram_bytes=80 << 30)
    assert "filled)" not in Client().get("/offers/").content.decode()
    Offer.objects.update(vram_bytes_proven=78 << 30)
    assert "80 GiB VRAM each (78 GiB filled)" in Client().get("/offers/").content.decode()


def test_a_filter_that_is_no_number_is_explained_at_the_field(market: Market) -> None:
    page = Client().get("/offers/", {"cpus_min": "many"}).content.decode()
    assert page.count("Enter a whole number") == 2
    fragment = Client().get("/offers/", {"cpus_min": "many"}, headers={"HX-Request": "true"})
    assert b"CPUs: Enter a whole number" in fragment.content


def test_more_leads_on_without_scripts_and_repeats_nothing(market: Market) -> None:
    more_offers(market, ROWS)
    first = Client().get("/offers/", {"cpus_min": "1"})
    second = Client().get(first.context["more_url"])
    urls = [row.rent_url for page in (first, second) for row in page.context["rows"]]
    assert len(urls) == len(set(urls)) == ROWS + 1
    assert not second.context["more_url"]
    assert b"<html" in second.content


def test_htmx_gets_only_the_rows(market: Market) -> None:
    more_offers(market, ROWS)
    more_url = Client().get("/offers/").context["more_url"]
    headers = {"HX-Request": "true", "HX-Target": "more"}
    rows = Client().get(more_url, headers=headers).content
    assert b"<html" not in rows
    assert b"<thead" not in rows
    assert b"/rent" in rows


def test_a_broken_cursor_starts_the_search_again(market: Market) -> None:
    assert Client().get("/offers/", {"cursor": "nonsense"}).headers["Location"] == "/offers/"


def test_a_list_of_offers_takes_one_query_however_long_and_its_filters_another(
    market: Market,
) -> None:
    more_offers(market, 12)
    Offer.objects.filter(pk=UUID(int=1)).update(country="JP")
    for headers, questions in (({}, 2), ({"HX-Request": "true"}, 1)):
        with CaptureQueriesContext(connection) as asked:
            Client().get("/offers/", headers=headers)
        # PostgreSQL is told how long it may take, besides.
        of_offers = [one for one in asked.captured_queries if "offers_offer" in one["sql"]]
        assert len(of_offers) == questions
        assert connection.vendor != "sqlite" or len(asked) == questions


def test_no_page_carries_inline_code(market: Market) -> None:
    reply = Client().get("/")
    assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
    page = reply.content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick" not in page
    assert page.count("<script ") == page.count("<script src=")


def test_whoever_looks_for_reservations_begins_with_one(market: Market, renter: Client) -> None:
    Offer.objects.update(
        discounts=[{"days": 2, "discount_ppm": 100_000}], longest_term_s=5 * 86_400
    )
    rent_url = f"/offers/{market.offer.id}/rent"
    assert f'"{rent_url}?' not in renter.get("/offers/").content.decode()
    page = renter.get("/offers/", {"price_type": "reserved"}).content.decode()
    assert f'href="{rent_url}?price_type=reserved"' in page
    form = renter.get(f"{rent_url}?price_type=reserved").content.decode()
    assert '<option value="reserved" selected>' in form
    assert 'name="hours" value="48"' in form
    Offer.objects.update(discounts=[])
    form = renter.get(f"{rent_url}?price_type=reserved").content.decode()
    assert 'name="price_type" value="on_demand"' in form
