"""A market that stands still, and browsers of the people in it."""

from collections.abc import Callable

import pytest
from django.test import Client

from marketplace.accounts.models import User
from tests.marketplace import scene
from tests.marketplace.browsers import enter
from tests.marketplace.rentals.market import Market, give_key


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    return Market.open(charlie)


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """Return a browser without scripts in which this person is logged in, just now."""

    def _browser_of(user: User) -> Client:
        return enter(Client(), user)

    return _browser_of


@pytest.fixture
def renter(alice: User, give: Callable[..., None], browser_of: Callable[[User], Client]) -> Client:
    """Alice's browser: she has ten dollars and an SSH key."""
    give(alice, 10_000_000)
    give_key(alice)
    return browser_of(alice)
