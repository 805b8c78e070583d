"""The form that rents is short: what most people leave alone is folded away, but never hidden."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.models import SshKey
from marketplace.offers.models import Offer
from marketplace.pages.forms.rent import FOLDS
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import Market

#: HTML, "Constraint validation", read 2026-11-22: what keeps a browser from sending a form
CONSTRAINTS = {"required", "min", "max", "step", "pattern", "minlength"}
CONSTRAINED = {"number", "email", "url", "date", "datetime-local"}


class Folds(HTMLParser):
    """The fields of a page that lie in a fold, and whether it is open."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.open: bool | None = None
        #: what a browser would hold against it, by name
        self.fields: dict[str, tuple[bool, set[str]]] = {}
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "details":
            self.open = "open" in told
        elif tag in {"input", "select", "textarea"} and self.open is not None:
            held = (CONSTRAINTS & set(told)) | (CONSTRAINED & {told.get("type") or "text"})
            self.fields[told["name"] or ""] = (self.open, held)

    def handle_endtag(self, tag: str) -> None:
        if tag == "details":
            self.open = None

    def opened(self) -> set[str]:
        """Return the names of the folds that are open."""
        shown = {name for name, (is_open, _) in self.fields.items() if is_open}
        return {fold for fold, names in FOLDS.items() if shown & set(names)}


@pytest.fixture
def market(market: Market) -> Market:
    """An offer with all that a form can ask."""
    Offer.objects.update(bid_floor_microusd=900_000, network_price_microusd=20_000)
    return market


def test_all_folds_are_closed_for_who_wants_what_most_want(renter: Client, market: Market) -> None:
    found = Folds(renter.get(rent_url(market)))
    assert set(found.fields) == {name for names in FOLDS.values() for name in names}
    assert found.opened() == set()


@pytest.mark.parametrize(
    ("told", "opens"),
    [
        ({"bid": "1.2"}, {"bid"}),
        ({"environment": "A=1"}, {"environment"}),
        ({"ports": "8080"}, {"runs"}),
        ({"registry_password": "secret"}, {"runs"}),
        ({"traffic_gb": "-1"}, {"pays"}),
        ({"funding": "rolling"}, {"pays"}),
        ({"failover": None}, {"pays"}),
        ({"environment": "no variable", "volumes": "data:/data"}, {"environment", "runs"}),
    ],
)
def test_a_fold_opens_where_it_would_hide_something(
    renter: Client, market: Market, told: dict[str, Any], opens: set[str]
) -> None:
    form = filled(renter.get(rent_url(market)), **told, intent="quote")
    assert Folds(renter.post(rent_url(market), form)).opened() == opens


def test_who_looked_for_bids_finds_the_bid(renter: Client, market: Market) -> None:
    place = f"{rent_url(market)}?price_type=interruptible"
    assert place.encode() in renter.get("/offers/?price_type=interruptible").content
    assert Folds(renter.get(place)).opened() == {"bid"}


def test_no_browser_holds_back_a_form_for_a_field_that_is_folded_away(
    renter: Client, market: Market
) -> None:
    SshKey.objects.all().delete()
    found = Folds(renter.get(rent_url(market)))
    assert {name: held for name, (_, held) in found.fields.items() if held} == {}


def test_what_is_wrong_is_named_above_the_form(renter: Client, market: Market) -> None:
    form = filled(renter.get(rent_url(market)), ports="ssh", cpus="")
    text = renter.post(rent_url(market), form).content.decode()
    link = '<a href="#id_{}">{}</a>'
    named = ", ".join((link.format("ports", "Ports to publish"), link.format("cpus", "CPUs")))
    assert f"Look again at {named}." in text


def test_a_new_price_brings_the_total_beside_the_button_with_it(
    renter: Client, market: Market
) -> None:
    form = filled(renter.get(rent_url(market)), hours="2", intent="quote")
    part = renter.post(rent_url(market), form, headers={"HX-Request": "true"}).content.decode()
    quote, total = part.split('<div id="total" hx-swap-oob="innerHTML">')
    assert "An hour" in quote
    assert 'id="worst-total">$7.40<' in total
    assert 'name="agreed_microusd"' in total
    assert 'name="agreed_microusd"' not in quote
