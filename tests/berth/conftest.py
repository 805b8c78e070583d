"""This will give each test a marketplace on loopback and a home of its own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from berth.client import Client
from berth.exchange import Clock
from tests.berth.market import API_KEY, Market
from tests.berth.server import Server
from tests.berth.terminal import Terminal


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(Market())
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def market(server: Server) -> Market:
    return server.market


class VirtualClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def client(server: Server, time: VirtualClock) -> Iterator[Client]:
    with Client(server.url, API_KEY, clock=time.clock()) as made:
        yield made


@pytest.fixture
def terminal(server: Server, tmp_path: Path) -> Terminal:
    """A logged-in terminal."""
    made = Terminal(tmp_path, server.url)
    made.environment["BERTH_API_KEY"] = API_KEY
    return made
