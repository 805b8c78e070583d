"""A Docker Engine that maps users: root of a rental has no rights on the machine."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from protocol.agent import ObservedState, Want
from protocol.workload import DesiredVolume, PlacementKind, VolumeMount, VolumeState
from scripts import subordinate_ids
from tests.miner_agent.host import MIB, Host
from tests.miner_agent.lab import Lab
from tests.miner_agent.test_rental import Rental


@pytest.fixture
def rental(tenants: Lab) -> Rental:
    return tenants.first


def test_the_check_says_that_users_are_mapped(rental: Rental) -> None:
    checked = rental.host.command("check")
    assert checked.returncode == 0, checked.stdout
    assert "userns-remap is on" in checked.stdout


def test_root_inside_is_nobody_outside(tenants: Lab, rental: Rental) -> None:
    assert rental.run("id -u") == "0"
    name = f"berth-{rental.desired.placement_id}-0"
    number = tenants.engine.ask("inspect", "-f", "{{.State.Pid}}", name).stdout.strip()
    assert Path("/proc", number).stat().st_uid == subordinate_ids.FIRST
    first, mapped, count = rental.run("cat /proc/self/uid_map").split()
    assert (first, mapped, count) == ("0", str(subordinate_ids.FIRST), "65536")


def test_what_belongs_to_root_of_the_machine_is_nobodys_inside(rental: Rental) -> None:
    assert rental.run("stat -c %u /.access/init") == "65534"
    assert rental.run("stat -c '%u %a' /.access-keys/hostkey") == "0 600"


def test_the_disk_ends_at_its_limit_and_belongs_to_root_inside(rental: Rental) -> None:
    full = rental.host.ssh(rental.seen, "dd if=/dev/zero of=/big bs=1M count=120")
    assert "No space left" in full.stderr
    size, owner = rental.run("stat -c '%s %u' /big; rm /big").split()
    assert 60 * MIB < int(size) <= 96 * MIB
    assert owner == "0"


@pytest.fixture
def room(tenants: Lab) -> Iterator[Host]:
    """The machine while its second tenant is stopped, so that a core is free."""
    market, second = tenants.host.market, tenants.second.desired
    market.want(second.model_copy(update={"want": Want.STOP}))
    market.wait_for(second.placement_id, ObservedState.STOPPED)
    yield tenants.host
    market.want(second)
    market.wait_for(second.placement_id, ObservedState.RUNNING)


def test_a_volume_belongs_to_root_inside(room: Host) -> None:
    host, market = room, room.market
    volume = DesiredVolume(volume_id=uuid4(), size_bytes=16 * MIB)
    market.keep(volume)
    desired = host.desire(volumes=(VolumeMount(volume_id=volume.volume_id, path="/data"),))
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    told = host.ssh(seen, "stat -c '%u %a' /data; echo kept > /data/file && cat /data/file")
    assert told.stdout == "0 755\nkept\n"
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    market.drop(desired.placement_id)
    market.keep(volume.model_copy(update={"remove": True}))
    market.wait_for_volume(volume.volume_id, VolumeState.GONE)
    market.volumes.clear()


def test_a_job_reads_its_inputs_and_writes_its_outputs(room: Host) -> None:
    host, market = room, room.market
    desired = host.desire(
        kind=PlacementKind.JOB,
        command=("sh", "-c", "cat /input/in > /output/out; stat -c %u /output > /output/owner"),
        inputs=(market.give("in", b"given\n"),),
        outputs_bytes_max=MIB,
    )
    market.wait_for(desired.placement_id, ObservedState.GONE)
    left = market.outputs(desired.placement_id)
    assert (left["out"], left[".stderr"]) == (b"given\n", b"")
    market.drop(desired.placement_id)
