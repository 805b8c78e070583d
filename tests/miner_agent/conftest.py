"""A real Docker Engine, a busybox image and a machine with its own agent and marketplace."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.miner_agent import images
from tests.miner_agent.finder import Finder
from tests.miner_agent.host import Host
from tests.miner_agent.lab import Lab, lab
from tests.miner_agent.leftovers import ended_after
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.registry import Registry

IMAGE = "berth-test-busybox:agent"
ENGINE_START_S = 90


def engine_answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use the engine that answers; without one start one, which needs root."""
    if engine_answers():
        yield
        return
    assert os.geteuid() == 0, "Start Docker Engine first, or run the tests as root."
    root = tmp_path_factory.mktemp("docker")
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", "--data-root", str(root / "data")], stdout=log, stderr=log
        )
        deadline = time.monotonic() + ENGINE_START_S
        while not engine_answers():
            assert process.poll() is None, (root / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Docker Engine did not start in time."
            time.sleep(0.2)
        yield
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def image(engine: None) -> str:
    """Make the image that most rentals of the tests use."""
    images.make(IMAGE)
    return IMAGE


@pytest.fixture(scope="session")
def market() -> Iterator[LoopbackMarket]:
    market = LoopbackMarket()
    yield market
    market.close()


@pytest.fixture(scope="session")
def host(
    image: str, market: LoopbackMarket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """One machine for all tests: enrolled, its agent running."""
    network = f"10.213.{os.getpid() % 250}.0/24"
    host = Host(tmp_path_factory.mktemp("machine"), market, image=image, network=network)
    host.enroll()
    host.start()
    yield host
    if host.process is not None:
        host.stop()
    host.command("uninstall")


@pytest.fixture(autouse=True)
def _leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """End what a test that failed left on the machine of all tests."""
    shared = request.getfixturevalue("host") if "host" in request.fixturenames else None
    # A test may call a parameter of its own so.
    with ended_after(shared) if isinstance(shared, Host) else contextlib.nullcontext():
        yield


@pytest.fixture
def running_host(host: Host) -> Host:
    """The machine, its agent running whatever an earlier test did to it."""
    if host.process is None or host.process.poll() is not None:
        host.start()
    return host


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def finder(engine: None, tmp_path: Path) -> Iterator[Finder]:
    finder = Finder(tmp_path / "book")
    yield finder
    finder.close()


@pytest.fixture(scope="session")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two tenants of one machine that is alone in its network."""
    with lab(tmp_path_factory.mktemp("lab"), BERTH_AGENT_BANDWIDTH_MBIT="200") as made:
        yield made
