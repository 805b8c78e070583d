"""Alice's running rental, whose door a real SSH server holds open."""

from collections.abc import AsyncIterator, Callable

import pytest
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.rentals.models import Rental
from marketplace.terminals import application
from marketplace.watch import in_thread
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.terminals.house import PATIENCE_S, House, open_house


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # A slow test is no page that says nothing.
    monkeypatch.setattr(application, "OPEN_S", PATIENCE_S)


@pytest.fixture
def market(transactional_db: None, charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr(scene, "NOW", timezone.now())
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 100_000_000)
    give_key(alice)
    rental = market.rent(alice, now=timezone.now())
    market.run(rental, at=timezone.now(), door_after_s=0)
    return rental


@pytest.fixture
async def house(rental: Rental) -> AsyncIterator[House]:
    async with open_house(rental) as house:
        yield house
    # The threads that looked things up hold connections of their own.
    await in_thread(lambda: None)()
