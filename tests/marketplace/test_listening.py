"""A server that runs says so, so that the passes can tell its absence from a machine's."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.asgi import application
from marketplace.machines import agent_bundle
from marketplace.machines.actions.attend import SITE, attend, hears
from marketplace.machines.models import Attendance
from tests.marketplace.scene import after

Message = MutableMapping[str, Any]


@pytest.mark.django_db(transaction=True)
async def test_a_server_says_that_it_listens_from_its_startup_to_its_end() -> None:
    await begin_and_end()


@pytest.mark.django_db(transaction=True)
async def test_a_server_that_cannot_pack_the_agent_listens_none_the_less(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent_bundle.bundle.cache_clear()
    settings.ROOT = tmp_path
    await begin_and_end()
    assert "Agent's bundle not packed" in caplog.messages


@pytest.mark.django_db
def test_a_script_whose_bundle_cannot_be_packed_is_an_error_of_the_site(
    settings: Settings, tmp_path: Path
) -> None:
    agent_bundle.bundle.cache_clear()
    settings.ROOT = tmp_path
    assert Client(raise_request_exception=False).get("/install").status_code == 500


async def begin_and_end() -> None:
    """Start the server, wait until it was noted, and end it."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    served = asyncio.create_task(application({"type": "lifespan"}, told.get, said.put))
    await told.put({"type": "lifespan.startup"})
    async with asyncio.timeout(20):
        assert (await said.get())["type"] == "lifespan.startup.complete"
        while not await Attendance.objects.filter(name=SITE).aexists():
            await asyncio.sleep(0.02)
        await told.put({"type": "lifespan.shutdown"})
        await served
    assert (await said.get())["type"] == "lifespan.shutdown.complete"


@pytest.mark.django_db
def test_a_server_is_heard_of_for_twenty_seconds() -> None:
    assert hears(now=after(0))
    attend(name=SITE, now=after(0))
    assert hears(now=after(20))
    assert not hears(now=after(21))
    attend(name=SITE, now=after(22))
    assert hears(now=after(23))
