"""Docker that goes away and comes back: the agent waits, says so and goes on."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.agent import ObservedState
from scripts import mounts
from tests.miner_agent import images
from tests.miner_agent.host import Host
from tests.miner_agent.market import LoopbackMarket

IMAGE = "berth-test-away:1"
START_S = 60


class OwnEngine:
    """A Docker Engine beside the machine's, in a network of its own, which a test may end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Sockets have short paths only.
        self.run = Path("/run") / f"berth-test-{os.getpid()}"
        self.address = f"unix://{self.run}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.run.mkdir(exist_ok=True)
        command = [
            *("unshare", "--net", "sh", "-c", 'ip link set lo up && exec dockerd "$@"', "sh"),
            *("--data-root", str(self.folder / "data"), "--exec-root", str(self.run / "exec")),
            *("--pidfile", str(self.run / "pid"), "--host", self.address),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while self.ask("info").returncode != 0:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Docker Engine did not start in time."
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=40)
            self.process = None

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "-H", self.address, *words], capture_output=True, text=True, check=False
        )


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[OwnEngine]:
    engine = OwnEngine(tmp_path)
    engine.start()
    yield engine
    if engine.process is None:
        engine.start()
    engine.stop()
    for used in (tmp_path, engine.run):
        mounts.unmount_below(used)
    shutil.rmtree(engine.run)


@pytest.fixture
def machine(own_engine: OwnEngine, tmp_path: Path) -> Iterator[Host]:
    """A machine that is enrolled and whose agent does not run yet."""
    market = LoopbackMarket()
    network = f"10.216.{os.getpid() % 250}.0/24"
    host = Host(tmp_path, market, image=IMAGE, network=network)
    host.environment["DOCKER_HOST"] = own_engine.address
    images.make(IMAGE, engine=own_engine.address)
    host.enroll()
    yield host
    if host.process is not None:
        host.stop()
    market.close()


def test_an_agent_outlives_its_engine(own_engine: OwnEngine, machine: Host) -> None:
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
    own_engine.stop()
    market.wait_until(lambda: market.problem is not None)
    own_engine.start()

    def runs_again() -> bool:
        seen = market.observed[desired.placement_id]
        return seen.run == 1 and seen.state is ObservedState.RUNNING and market.problem is None

    market.wait_until(runs_again, deadline_s=60)
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    assert machine.stop() == 0
    assert machine.command("uninstall").returncode == 0
    assert own_engine.ask("ps", "-aq").stdout == ""
