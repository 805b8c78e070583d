"""Open pages hold no connection to the database: more of them than connections stop nothing."""

from contextlib import AsyncExitStack

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.test import AsyncClient, Client

from marketplace.accounts.models import User
from marketplace.live import audience
from marketplace.rentals.models import Rental
from marketplace.watch import in_thread
from tests.marketplace.browsers import enter
from tests.marketplace.conftest import alice, charlie, give
from tests.marketplace.live.pages import Page
from tests.marketplace.terminals.conftest import market, rental

__all__ = ["alice", "charlie", "give", "market", "rental"]


@pytest.mark.django_db(transaction=True)
async def test_more_open_pages_than_connections_stop_nothing(
    rental: Rental, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    monkeypatch.setattr(audience, "STREAMS_A_PERSON_MAX", connections + 1)
    browser = await sync_to_async(enter)(Client(), alice)
    async with AsyncExitStack() as stack:
        pages = [
            await stack.enter_async_context(Page(rental.id, browser).open())
            for _ in range(connections + 1)
        ]
        for page in pages:
            assert await page.status() == 200
            assert (await page.event())["event"] == "changed"
        others = AsyncClient()
        await others.aforce_login(alice, "allauth.account.auth_backends.AuthenticationBackend")
        assert (await others.get(f"/rentals/{rental.id}/panel")).status_code == 200
    await in_thread(lambda: None)()


@pytest.mark.django_db(transaction=True)
async def test_a_statement_gives_its_connection_back_before_it_is_sent(alice: User) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, "allauth.account.auth_backends.AuthenticationBackend")
    reply = await client.get("/money/statement-funds.csv")
    stream = aiter(reply)
    assert (await anext(stream)).startswith(b"at_utc,kind")
    assert await sync_to_async(lambda: connection.connection)() is None
    assert [piece async for piece in stream] == []
