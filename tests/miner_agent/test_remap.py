"""A Docker Engine that maps users: root of a rental has no rights on the machine."""

from pathlib import Path

import pytest

from scripts import subordinate_ids
from tests.miner_agent.host import MIB
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
