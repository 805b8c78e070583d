"""The ways into a running rental, and another one like it."""

import html
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    rental = market.rent(alice, image="jupyter/scipy-notebook", ports=(443,), command=("a b", "c"))
    market.run(rental, at=scene.after(1))
    return rental


def shown(renter: Client, rental: Rental) -> str:
    return html.unescape(renter.get(f"/rentals/{rental.id}/").content.decode())


def test_an_editor_and_the_configuration_of_ssh_lead_into_it(
    renter: Client, rental: Rental
) -> None:
    page = shown(renter, rental)
    assert 'href="vscode://vscode-remote/ssh-remote+root@127.0.0.1:20001/"' in page
    alias = f"berth-{str(rental.id)[:8]}"
    assert f"Host {alias}\n  HostName 127.0.0.1\n  Port 20001\n  User root</code>" in page


def test_an_address_with_colons_is_never_taken_for_a_port(renter: Client, rental: Rental) -> None:
    Placement.objects.filter(id=rental.placement_id).update(ssh_host="2001:db8::1")
    page = shown(renter, rental)
    assert f'href="vscode://vscode-remote/ssh-remote+berth-{str(rental.id)[:8]}/"' in page
    assert "HostName 2001:db8::1\n" in page


def test_its_ports_and_its_notebook_are_reached_through_ssh(renter: Client, rental: Rental) -> None:
    page = shown(renter, rental)
    assert "ssh -N -L 8443:127.0.0.1:443 -p 20001 root@127.0.0.1" in page
    assert "Jupyter, port 8888" in page
    assert "ssh -N -L 8888:127.0.0.1:8888 -p 20001 root@127.0.0.1" in page
    assert 'href="http://localhost:8888/?token=berth-' in page
    assert ">http://localhost:8888/</a>" in page


def test_what_does_not_run_leads_nowhere(renter: Client, market: Market, rental: Rental) -> None:
    renter.post(f"/rentals/{rental.id}/stop")
    market.halt(rental, at=scene.after(20))
    page = shown(renter, rental)
    assert "vscode:" not in page
    assert "ssh-config" not in page


def test_another_like_it_has_what_it_has_but_no_secret(
    renter: Client, market: Market, alice: User
) -> None:
    rental = market.rent(
        alice, image="debian:13", ports=(8080, 9090), command=("a b",), environment={"T": "secret"}
    )
    place = f"/offers/{market.offer.id}/rent?like={rental.id}"
    assert place in shown(renter, rental)
    page = html.unescape(renter.get(place).content.decode())
    for value in ("debian:13", "8080, 9090", "'a b'", "1", "2"):
        assert f'value="{value}"' in page
    assert "secret" not in page.replace("what is secret", "")


def test_nobody_copies_what_somebody_else_rents(
    market: Market, rental: Rental, bob: User, browser_of: Callable[[User], Client]
) -> None:
    for like in (rental.id, uuid4(), "x"):
        place = f"/offers/{market.offer.id}/rent?like={like}"
        assert browser_of(bob).get(place).status_code == 404


def test_a_machine_that_is_not_for_rent_leads_to_those_that_are(
    renter: Client, market: Market, rental: Rental
) -> None:
    Offer.objects.filter(id=market.offer.id).update(listed=False)
    place = f"/offers/{market.offer.id}/rent?like={rental.id}"
    reply = renter.get(place, follow=True)
    assert reply.redirect_chain == [("/offers/", 302)]
    assert b"That machine is not for rent now" in reply.content
    # Who has the form open is told by its quote: not the list where the quote was.
    quote = renter.post(place, {"intent": "quote"}, headers={"HX-Request": "true"})
    assert (quote.status_code, quote.headers["HX-Redirect"]) == (200, "/offers/")
    assert b"That machine is not for rent now" in renter.get("/offers/").content
