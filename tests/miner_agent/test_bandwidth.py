"""The limit that a host sets to what each placement sends and receives."""

import re
import signal
import subprocess
import sys

from tests.miner_agent.host import REPOSITORY
from tests.miner_agent.lab import Lab
from tests.miner_agent.test_rental import Rental

SOME = 8 << 20


def process_id(lab: Lab, rental: Rental) -> str:
    """Return the first process of a rental's container."""
    chosen = f"name=berth-{rental.desired.placement_id}"
    (container,) = lab.engine.ask("ps", "-q", "--filter", chosen).stdout.split()
    return lab.engine.ask("inspect", "-f", "{{.State.Pid}}", container).stdout.strip()


def queues(lab: Lab, rental: Rental) -> tuple[str, str]:
    """Return what holds back what a rental receives, and what it sends."""
    enter = ("nsenter", "--target", process_id(lab, rental), "--net")
    other = re.search(r"eth0@if(\d+)", lab.on_machine(*enter, "ip", "-o", "link"))
    ends = lab.on_machine("ip", "-o", "link")
    name = re.search(rf"^{other[1]}: (\w+)@", ends, re.MULTILINE)[1]
    show = ("tc", "-s", "qdisc", "show", "dev")
    return lab.on_machine(*show, name), lab.on_machine(*enter, *show, "eth0")


def test_each_way_of_each_tenant_is_held_to_the_limit(tenants: Lab) -> None:
    for rental in (tenants.first, tenants.second):
        for queue in queues(tenants, rental):
            assert "tbf" in queue
            assert "rate 200Mbit" in queue


def test_what_passes_waits_in_the_queues(tenants: Lab) -> None:
    client = [*tenants.host.inside, *tenants.host.client(tenants.first.seen), "root@127.0.0.1"]
    flow = f"cat >/dev/null; head -c {SOME} /dev/zero"
    done = subprocess.run([*client, flow], input=bytes(SOME), capture_output=True, check=True)
    assert len(done.stdout) == SOME
    for queue in queues(tenants, tenants.first):
        assert int(re.search(r"Sent (\d+) bytes", queue)[1]) > SOME
        assert int(re.search(r"overlimits (\d+)", queue)[1]) > 0


def test_a_renter_cannot_change_it(tenants: Lab) -> None:
    change = "ip link set eth0 txqueuelen 1 || tc qdisc del dev eth0 root"
    assert tenants.host.ssh(tenants.first.seen, change).returncode != 0


def test_an_agent_that_comes_back_with_another_limit_sets_it(tenants: Lab) -> None:
    host, syncs = tenants.host, tenants.host.market.syncs
    host.stop(signal.SIGKILL)
    host.environment["BERTH_AGENT_BANDWIDTH_MBIT"] = "300"
    host.start("--ephemeral")
    host.market.wait_until(lambda: host.market.syncs > syncs)
    assert all("rate 300Mbit" in queue for queue in queues(tenants, tenants.first))


def test_a_limit_can_be_taken_away(tenants: Lab) -> None:
    script = (
        "import sys; from miner_agent.bandwidth import limit; limit(int(sys.argv[1]), mbit=None)"
    )
    number = process_id(tenants, tenants.first)
    tenants.on_machine("env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-c", script, number)
    assert not any("tbf" in queue for queue in queues(tenants, tenants.first))
