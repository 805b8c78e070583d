"""A notebook gets a token that opens it from its rental's page, and nothing else tells it."""

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.placements.models import Placement
from marketplace.rentals import notebooks, queries
from marketplace.rentals.models import Rental
from tests.marketplace.pages.conftest import browser_of, market, renter
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW, after
from tests.marketplace.test_api import Api

__all__ = ["browser_of", "market", "renter"]
IMAGE = "jupyter/scipy-notebook:latest"


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    return market.rent(alice, image=IMAGE, ports=(8888,), environment={"A": "b"})


def run(market: Market, rental: Rental) -> str:
    """Have it run with its port published; return the token that its container is given."""
    (desired,) = market.agent.sync(NOW).desired
    assert desired.workload is not None
    market.run(rental, at=after(1))
    Placement.objects.update(ports=[{"inside": 8888, "outside": 20011}])
    return desired.workload.environment[notebooks.VARIABLE]


def page_of(renter: Client, rental: Rental) -> str:
    return html.unescape(renter.get(f"/rentals/{rental.id}/").content.decode())


def test_its_page_opens_the_notebook_with_what_the_container_is_given(
    market: Market, renter: Client, rental: Rental
) -> None:
    token = run(market, rental)
    assert re.fullmatch(r"berth-[\w-]{32}", token)
    page = page_of(renter, rental)
    assert f'id="open-notebook" href="http://127.0.0.1:20011/?token={token}"' in page
    assert f'href="http://localhost:8888/?token={token}"' in page
    assert page.count(token) == 2
    Placement.objects.update(ssh_host="2001:db8::1")
    assert f'href="http://[2001:db8::1]:20011/?token={token}"' in page_of(renter, rental)
    # Where its port is not published it is reached through SSH alone.
    Placement.objects.update(ports=[])
    assert 'id="open-notebook"' not in page_of(renter, rental)


def test_no_browser_keeps_a_page_that_opens_the_notebook(
    market: Market, renter: Client, rental: Rental
) -> None:
    token, own = run(market, rental), f"/rentals/{rental.id}"
    replies = [renter.get(f"{own}/"), renter.get(f"{own}/panel"), renter.post(f"{own}/extend", {})]
    assert [reply.status_code for reply in replies] == [200, 200, 422]
    for reply in replies:
        assert token in reply.content.decode()
        assert "no-store" in reply.headers["Cache-Control"]


def test_nothing_and_nobody_else_tells_the_token(
    market: Market,
    renter: Client,
    rental: Rental,
    alice: User,
    bob: User,
    charlie: User,
    browser_of: Callable[[User], Client],
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = run(market, rental)
    api, host = Api(alice), Api(charlie)
    own, like = f"/rentals/{rental.id}", f"/offers/{market.offer.id}/rent?like={rental.id}"
    pages = [renter.get(path) for path in ("/rentals/", like, f"{own}/bill", f"{own}/history")]
    told = [api.get(path) for path in ("/rentals", own, f"{own}/events")]
    hosts = [host.get(f"/host/machines{rest}") for rest in ("", f"/{market.machine.id}")]
    for reply in (*pages, *told, *hosts):
        assert reply.status_code == 200
        assert token not in reply.content.decode()
    assert browser_of(bob).get(f"{own}/").status_code == 404
    assert token not in caplog.text
    assert token not in repr(queries.view(rental.id, alice.pk, NOW))
    assert notebooks.token(rental.id, alice.pk) == token
    assert notebooks.token(rental.id, bob.pk) == ""


def test_a_token_of_the_renters_own_opens_it_too(
    market: Market, renter: Client, alice: User
) -> None:
    rental = market.rent(alice, image="own:1", environment={notebooks.VARIABLE: "a b&c"})
    assert run(market, rental) == "a b&c"
    assert 'href="http://localhost:8888/?token=a+b%26c"' in page_of(renter, rental)


def test_each_rental_has_another_and_what_is_no_notebook_has_none(
    market: Market, renter: Client, alice: User, rental: Rental
) -> None:
    other = market.rent(alice, image=IMAGE, lease_s=60)
    plain = market.rent(alice, lease_s=60)
    tokens = [
        notebooks.token_of(one.placement.workload["environment"]) for one in (rental, other, plain)
    ]
    assert tokens[2] == ""
    assert len(set(tokens)) == 3


def test_a_change_keeps_it_and_the_same_change_is_none(
    market: Market, renter: Client, rental: Rental, alice: User
) -> None:
    token = run(market, rental)
    api, path = Api(alice), f"/rentals/{rental.id}"
    assert api.patch(path, {"environment": {"A": "b"}}).json()["edition"] == 0
    api.patch(path, {"environment": {"A": "c"}})
    environment = Placement.objects.get(id=rental.placement_id).workload["environment"]
    assert environment == {"A": "c", notebooks.VARIABLE: token}


def test_another_machine_makes_another_and_keeps_the_renters_own() -> None:
    made = {"A": "b", notebooks.VARIABLE: f"{notebooks.MADE}x"}
    assert notebooks.for_another(made) == {"A": "b"}
    own = {notebooks.VARIABLE: "own"}
    assert notebooks.for_another(own) == own
