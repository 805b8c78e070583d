"""A server that runs says so, so that the passes can tell its absence from a machine's."""

import asyncio
import gc
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace import listening
from marketplace.asgi import application
from marketplace.machines import agent_bundle
from marketplace.machines.actions.attend import SITE, attend, hears
from marketplace.machines.models import Attendance
from tests.marketplace.scene import after

Message = MutableMapping[str, Any]
HERE = Path(__file__).parents[2]


@pytest.mark.django_db(transaction=True)
async def test_a_server_says_that_it_listens_from_its_startup_to_its_end() -> None:
    await begin_and_end()


@pytest.fixture
def _unpackable(settings: Settings, tmp_path: Path) -> Iterator[None]:
    agent_bundle.bundle.cache_clear()
    settings.ROOT = tmp_path
    yield
    agent_bundle.bundle.cache_clear()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_unpackable")
async def test_a_server_that_cannot_pack_the_agent_listens_none_the_less(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await begin_and_end()
    assert "Agent's bundle not packed" in caplog.messages


@pytest.mark.django_db
@pytest.mark.usefixtures("_unpackable")
def test_a_bundle_that_could_not_be_packed_is_refused_until_the_server_starts_anew(
    settings: Settings,
) -> None:
    told = b"This site could not pack its agent when it started; tell its operator.\n"
    for path in ("/install", "/install/agent-0000.tar.gz"):
        reply = Client().get(path)
        assert (reply.status_code, reply.content) == (503, told)
        # What lies there by now is another release's.
        settings.ROOT = HERE


@pytest.mark.django_db(transaction=True)
async def test_a_server_that_could_not_tell_once_tells_it_the_next_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "EVERY_S", 0.02)
    exhausted = ThreadPoolExecutor()
    exhausted.shutdown()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(exhausted)
    listens = asyncio.create_task(listening.listen())
    async with asyncio.timeout(20):
        while "Attendance not noted" not in caplog.messages:
            await asyncio.sleep(0.02)
        loop.set_default_executor(ThreadPoolExecutor())
        while not await Attendance.objects.filter(name=SITE).aexists():
            await asyncio.sleep(0.02)
    listens.cancel()
    await asyncio.gather(listens, return_exceptions=True)


async def test_a_server_that_cannot_start_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory() -> None:
        raise MemoryError

    monkeypatch.setattr(gc, "freeze", out_of_memory)
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    await told.put({"type": "lifespan.startup"})
    async with asyncio.timeout(20):
        await application({"type": "lifespan"}, told.get, said.put)
    assert said.get_nowait() == {"type": "lifespan.startup.failed"}
    assert said.empty()
    assert "Startup failed" in caplog.messages


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
