"""Whatever narrows a search does so on the page, in the API and in the client."""

from dataclasses import dataclass
from inspect import signature

import pytest
from django.test import Client

from berth.offers import OfferFilter
from marketplace.domain.offer_query import wanted
from marketplace.offers.api import Filters
from marketplace.offers.models import Offer
from marketplace.pages.forms.search import SearchForm
from tests.marketplace.offers.test_conditions import offered
from tests.marketplace.scene import GIB, NOW

pytestmark = pytest.mark.django_db
#: of a search, and no filters of it
ORDER_AND_PAGE = {"q", "verified", "rented", "sort", "cursor", "limit"}
OF_THE_FORM = {"q", "template", "checked", "sort"}
#: as the API calls what the domain calls otherwise
CALLED = {"memory_bytes_min": "ram_bytes_min"}


@dataclass(frozen=True)
class Filter:
    """A field of the API and one of the page, each with what finds the offer and what does not."""

    api: str
    page: str
    finds: tuple[str, str]
    misses: tuple[str, str]


FILTERS = (
    Filter("gpu_model", "gpu_model", ("4090", "4090"), ("3090", "3090")),
    Filter("gpus_min", "gpus_min", ("4", "4"), ("5", "5")),
    Filter("vram_bytes_min", "vram_min", (str(20 * GIB), "20"), (str(40 * GIB), "40")),
    Filter("cpus_min", "cpus_min", ("16", "16"), ("17", "17")),
    Filter("ram_bytes_min", "ram_min", (str(8 * GIB), "8"), (str(9 * GIB), "9")),
    Filter("disk_bytes_min", "disk_min", (str(100 * GIB), "100"), (str(101 * GIB), "101")),
    Filter("price_hour_microusd_max", "price_max", ("200000", "0.2"), ("199999", "0.19")),
    Filter("country", "place", ("DE", "DE"), ("FR", "FR")),
    Filter("region", "place", ("Europe", "europe"), ("AS", "asia")),
    Filter("network_down_mbit_s_min", "line_min", ("800", "80"), ("801", "801")),
    Filter("network_up_mbit_s_min", "line_min", ("80", "80"), ("81", "81")),
    Filter("reliability_ppm_min", "reliability_min", ("990000", "99"), ("990001", "99.1")),
    Filter("lease_s_min", "days_min", ("2592000", "30"), ("2592001", "31")),
    Filter("cuda_min", "cuda_min", ("12.4", "12004"), ("12.5", "12005")),
    Filter("interruptible", "price_type", ("true", "interruptible"), ("", "")),
    Filter("reserved", "price_type", ("true", "reserved"), ("", "")),
)


def rows(place: str, name: str, told: str) -> int:
    """Return how many offers the page or the API shows."""
    if place == "api":
        reply = Client().get("/api/v1/offers", {"verified": "false", name: told})
        assert reply.status_code == 200, reply.content
        return len(reply.json()["items"])
    reply = Client().get("/offers/", {"checked": "anyone", name: told})
    assert "problems" not in reply.context, reply.context["problems"]
    return len(reply.context["rows"])


@pytest.mark.parametrize("one", FILTERS, ids=lambda one: one.api)
def test_a_filter_finds_what_has_it_and_nothing_else(
    one: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    offered(
        country="DE",
        network_down_mbit_s=800,
        network_up_mbit_s=80,
        away_ppm=10_000,
        cuda=12_004,
        longest_term_s=2_592_000,
        bid_floor_microusd=100_000,
        discounts=[{"days": 30, "discount_ppm": 200_000}],
    )
    places = (("api", one.api), ("page", one.page))
    for at, (place, name) in enumerate(places):
        assert rows(place, name, one.finds[at]) == 1, place
    # What takes bids or reservations is one thing or the other, and has no number to be above.
    if not any(one.misses):
        Offer.objects.update(bid_floor_microusd=None, discounts=[])
    for at, (place, name) in enumerate(places):
        assert rows(place, name, one.misses[at] or one.finds[at]) == 0, place


def test_every_filter_is_in_the_list_above() -> None:
    known = {CALLED.get(name, name) for name in signature(wanted).parameters}
    assert {one.api for one in FILTERS} == known
    assert set(Filters.model_fields) == known | ORDER_AND_PAGE
    assert set(SearchForm().fields) == {one.page for one in FILTERS} | OF_THE_FORM


def test_the_client_sends_every_field_of_a_search() -> None:
    assert set(OfferFilter.model_fields) == set(Filters.model_fields)


@pytest.mark.parametrize(
    ("name", "told", "says"),
    [
        ("country", "XX", "two letters"),
        ("region", "Atlantis", "a continent"),
        ("cuda_min", "twelve", "like 12.4"),
    ],
)
def test_what_is_no_value_of_a_filter_is_said(name: str, told: str, says: str) -> None:
    reply = Client().get("/api/v1/offers", {name: told})
    assert reply.status_code == 422
    assert reply.json()["code"] == "query_invalid"
    assert says in reply.json()["detail"]
