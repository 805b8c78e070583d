"""A Docker Engine that maps users: root of a rental has no rights on the machine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.agent import ObservedState
from scripts import subordinate_ids
from tests.miner_agent import images
from tests.miner_agent.host import MIB, Host
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.own_engine import OwnEngine
from tests.miner_agent.test_rental import Rental

IMAGE = "berth-test-mapped:1"
OPTIONS = (f"--userns-remap={subordinate_ids.USER}:{subordinate_ids.GROUP}", "--live-restore")


@pytest.fixture(scope="module")
def mapped_engine() -> Iterator[OwnEngine]:
    # Not in pytest's folder: that is closed to the mapped root.
    folder = Path(tempfile.mkdtemp(prefix="berth-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    assert subordinate_ids.refusal(folder) is None
    before = subordinate_ids.had()
    subordinate_ids.add()
    engine = OwnEngine(folder, *OPTIONS)
    try:
        engine.start()
        yield engine
        engine.remove()
    finally:
        subordinate_ids.remove_added(before)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def rental(mapped_engine: OwnEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rental]:
    market = LoopbackMarket()
    network = f"10.219.{os.getpid() % 250}.0/24"
    host = Host(tmp_path_factory.mktemp("mapped"), market, image=IMAGE, network=network)
    host.environment["DOCKER_HOST"] = mapped_engine.address
    host.environment["BERTH_AGENT_ALLOW_UNISOLATED"] = "0"
    host.inside = mapped_engine.inside()
    images.make(IMAGE, engine=mapped_engine.address)
    host.enroll()
    host.start("--ephemeral")
    desired = host.desire()
    yield Rental(host, desired, market.wait_for(desired.placement_id, ObservedState.RUNNING))
    host.stop()
    market.close()


def outside(rental: Rental) -> Path:
    """Return what the machine shows of the rental's first process."""
    name = f"berth-{rental.desired.placement_id}"
    engine = rental.host.environment["DOCKER_HOST"]
    asked = ["docker", "-H", engine, "inspect", "-f", "{{.State.Pid}}", name]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    return Path("/proc") / done.stdout.strip()


def test_the_check_says_that_users_are_mapped(rental: Rental) -> None:
    checked = rental.host.command("check")
    assert checked.returncode == 0, checked.stdout
    assert "userns-remap is on" in checked.stdout


def test_root_inside_is_nobody_outside(rental: Rental) -> None:
    assert rental.run("id -u") == "0"
    assert outside(rental).stat().st_uid == subordinate_ids.FIRST
    first, mapped, count = rental.run("cat /proc/self/uid_map").split()
    assert (first, mapped, count) == ("0", str(subordinate_ids.FIRST), "65536")


def test_what_belongs_to_root_of_the_machine_is_nobodys_inside(rental: Rental) -> None:
    assert rental.run("stat -c %u /.access/init") == "65534"
    assert rental.run("stat -c '%u %a' /.access-keys/hostkey") == "0 600"


def test_the_disk_ends_at_its_limit_and_belongs_to_root_inside(rental: Rental) -> None:
    full = rental.host.ssh(rental.seen, "dd if=/dev/zero of=/big bs=1M count=100")
    assert "No space left" in full.stderr
    size, owner = rental.run("stat -c '%s %u' /big; rm /big").split()
    assert 40 * MIB < int(size) <= 64 * MIB
    assert owner == "0"
