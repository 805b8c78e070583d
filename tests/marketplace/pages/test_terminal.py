"""The page with a terminal: only for who rents, and only while there is something to log in to."""

from collections.abc import Callable

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    return market.rent(alice)


def test_what_runs_has_a_terminal(renter: Client, market: Market, rental: Rental) -> None:
    market.run(rental, at=scene.after(1))
    page = renter.get(f"/rentals/{rental.id}/terminal").content.decode()
    assert f'data-terminal="/rentals/{rental.id}/terminal/socket"' in page
    assert "ssh -p 20001 root@" in page
    assert f"/rentals/{rental.id}/terminal" in renter.get(f"/rentals/{rental.id}/").content.decode()


def test_what_does_not_run_says_so_and_loads_no_terminal(renter: Client, rental: Rental) -> None:
    page = renter.get(f"/rentals/{rental.id}/terminal").content.decode()
    assert "Nobody can log in to it now" in page
    assert "xterm" not in page


def test_other_pages_do_not_carry_it(renter: Client, market: Market, rental: Rental) -> None:
    market.run(rental, at=scene.after(1))
    assert "xterm" not in renter.get(f"/rentals/{rental.id}/").content.decode()


def test_nobody_else_sees_it(
    rental: Rental, bob: User, browser_of: Callable[[User], Client]
) -> None:
    place = f"/rentals/{rental.id}/terminal"
    assert browser_of(bob).get(place).status_code == 404
    assert Client().get(place).headers["Location"].startswith("/accounts/login/")
    assert browser_of(bob).post(place).status_code == 405
