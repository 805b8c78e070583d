"""Docker that is not there yet: the agent waits, says so and goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.agent import ObservedState
from tests.miner_agent import images
from tests.miner_agent.host import Host
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.own_engine import OwnEngine

IMAGE = "berth-test-away:1"


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[OwnEngine]:
    engine = OwnEngine(tmp_path)
    engine.start()
    yield engine
    engine.remove()


@pytest.fixture
def machine(own_engine: OwnEngine, tmp_path: Path) -> Iterator[Host]:
    """A machine that is enrolled and whose agent does not run yet."""
    market = LoopbackMarket()
    network = f"10.216.{os.getpid() % 250}.0/24"
    host = Host(tmp_path, market, image=IMAGE, network=network)
    host.environment["DOCKER_HOST"] = own_engine.address
    host.environment["BERTH_AGENT_ALLOW_UNISOLATED"] = "1"
    images.make(IMAGE, engine=own_engine.address)
    host.enroll()
    yield host
    if host.process is not None:
        host.stop()
    market.close()


def test_an_agent_waits_for_its_engine(own_engine: OwnEngine, machine: Host) -> None:
    market = machine.market
    own_engine.stop()
    machine.start()
    market.wait_until(lambda: market.problem is not None)
    assert market.problem is not None
    assert market.problem.code == "docker_unavailable"
    desired = machine.desire()
    market.wait_for(desired.placement_id, ObservedState.ACCEPTED)
    own_engine.start()
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING, deadline_s=60)
    assert seen.run == 0
    assert market.problem is None
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    assert machine.stop() == 0
    assert machine.command("uninstall").returncode == 0
    assert own_engine.ask("ps", "-aq").stdout == ""
