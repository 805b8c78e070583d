"""Alice's running rental on Charlie's machine, now: signatures and keys hold by the real clock."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.domain import container_log as rules
from marketplace.logs.actions import ask
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # A slow test is no machine that does not answer.
    for module in (rules, ask):
        monkeypatch.setattr(module, "ANSWER_WITHIN", timedelta(hours=1))


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr(scene, "NOW", timezone.now())
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 100_000_000)
    give_key(alice)
    rental = market.rent(alice, now=scene.NOW)
    market.run(rental, at=timezone.now(), door_after_s=0)
    return rental
