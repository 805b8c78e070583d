"""Open pages hold no connection to the database: more of them than connections stop nothing."""

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient

from marketplace.accounts.models import User
from marketplace.rentals.models import Rental
from tests.marketplace.conftest import alice, charlie, give
from tests.marketplace.terminals.conftest import market, rental

__all__ = ["alice", "charlie", "give", "market", "rental"]


@pytest.mark.django_db(transaction=True)
async def test_an_open_page_gives_its_connection_back(rental: Rental, alice: User) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, "allauth.account.auth_backends.AuthenticationBackend")
    reply = await client.get(f"/rentals/{rental.id}/events")
    assert reply.streaming
    assert await sync_to_async(lambda: connection.connection)() is None
    stream = aiter(reply.streaming_content)
    assert await anext(stream) == b"retry: 1000\n\n"
    await stream.aclose()


@pytest.mark.django_db(transaction=True)
async def test_a_statement_gives_its_connection_back_before_it_is_sent(alice: User) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, "allauth.account.auth_backends.AuthenticationBackend")
    reply = await client.get("/money/statement-funds.csv")
    stream = aiter(reply)
    assert (await anext(stream)).startswith(b"at_utc,kind")
    assert await sync_to_async(lambda: connection.connection)() is None
    assert [piece async for piece in stream] == []
