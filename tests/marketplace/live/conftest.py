"""Alice's rental, and looks that come at once."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client

from marketplace.accounts.models import User
from marketplace.live import audience
from marketplace.metering.models import SideMeter
from marketplace.rentals.models import Failover, IdleRule, PriceProposal, Rental
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
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 100_000_000)
    give_key(alice)
    return market.rent(alice, now=scene.NOW)


@pytest.fixture
def furnished(rental: Rental) -> Rental:
    """Return the rental with everything beside it that one may have."""
    SideMeter.objects.create(
        meter=rental.meter, storage_price_microusd=1, disk_bytes=1, network_price_microusd=1,
        traffic_microusd_max=1_000_000, traffic_microusd=1,
    )  # fmt: skip
    IdleRule.objects.create(rental=rental, after_s=60, below_percent=5, set_at=scene.NOW)
    Failover.objects.create(
        rental=rental, price_hour_microusd_max=1, first_started_at=rental.started_at
    )
    PriceProposal.objects.create(
        rental=rental, price_hour_microusd=1, from_at=scene.NOW, proposed_at=scene.NOW
    )
    return rental


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice is logged in there."""
    return enter(Client(), alice)


@pytest.fixture
async def _let_go() -> AsyncIterator[None]:
    yield
    # A look may be under way after all pages left; its thread has a connection of its own.
    await asyncio.get_running_loop().shutdown_default_executor()
    await sync_to_async(connections.close_all)()
