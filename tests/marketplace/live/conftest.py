"""Alice's rental, and looks that come at once."""

from collections.abc import AsyncIterator, Callable

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.live import audience
from marketplace.rentals.models import Rental
from marketplace.watch import in_thread
from tests.marketplace import scene
from tests.marketplace.browsers import enter
from tests.marketplace.rentals.market import Market, give_key


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "TICK_S", 0.01)
    monkeypatch.setattr(audience, "REST_S_MIN", 0.01)
    monkeypatch.setattr(audience, "LOG_INS_EVERY_S", 0.01)
    monkeypatch.setattr(audience, "FAILED_PAUSE_S", 0.001)


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr(scene, "NOW", timezone.now())
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 100_000_000)
    give_key(alice)
    return market.rent(alice, now=scene.NOW)


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice is logged in there."""
    return enter(Client(), alice)


@pytest.fixture
async def _let_go() -> AsyncIterator[None]:
    yield
    # The threads that looked things up hold connections of their own.
    await in_thread(lambda: None)()
    await sync_to_async(connections.close_all)()
