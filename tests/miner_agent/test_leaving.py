"""An agent that leaves for good takes everything with it and says so."""

import os
import socket
import sqlite3
from pathlib import Path

from miner_agent import firewall
from protocol.agent import ObservedState
from tests.miner_agent.host import Host, docker, is_left
from tests.miner_agent.market import LoopbackMarket


def networks(market: LoopbackMarket) -> str:
    label = f"label=berth.machine={market.machine_key[:12]}"
    return docker("network", "ls", "-q", "--filter", label)


def test_an_ephemeral_agent_leaves_nothing_and_tells_the_market(image: str, tmp_path: Path) -> None:
    market = LoopbackMarket()
    network = f"10.214.{os.getpid() % 250}.0/24"
    host = Host(tmp_path, market, image=image, network=network)
    host.enroll()
    host.start("--ephemeral")
    desired = host.desire()
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert networks(market) != ""
    assert host.stop() == 0
    assert is_left(desired.placement_id, host.home) == []
    assert networks(market) == ""
    seen = market.wait_for(desired.placement_id, ObservedState.GONE)
    assert seen.problem.code == "lease_ended"
    assert market.failures == []
    market.close()


def test_an_ephemeral_agent_that_crashes_leaves_nothing_either(image: str, tmp_path: Path) -> None:
    market = LoopbackMarket()
    network = f"10.217.{os.getpid() % 250}.0/24"
    host = Host(tmp_path, market, image=image, network=network)
    host.enroll()
    host.start("--ephemeral")
    desired = host.desire()
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    journal = sqlite3.connect(host.home / "agent" / "journal.sqlite3", timeout=10)
    journal.execute("DROP TABLE fact")
    journal.close()
    assert host.process is not None
    assert host.process.wait(timeout=60) == 1
    assert is_left(desired.placement_id, host.home) == []
    assert networks(market) == ""
    market.close()


def test_a_stop_leaves_rentals_running_and_uninstall_ends_them(image: str, tmp_path: Path) -> None:
    market = LoopbackMarket()
    network = f"10.215.{os.getpid() % 250}.0/24"
    host = Host(tmp_path, market, image=image, network=network)
    host.enroll()
    host.start()
    desired = host.desire()
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert host.stop() == 0
    assert host.ssh(seen, "echo alive").stdout == "alive\n"
    status = host.command("status")
    assert str(desired.placement_id) in status.stdout
    assert host.command("uninstall").returncode == 0
    assert is_left(desired.placement_id, host.home) == []
    assert networks(market) == ""
    market.wait_for(desired.placement_id, ObservedState.GONE)
    market.close()


def test_check_says_what_this_machine_can_do(host: Host) -> None:
    result = host.command("check")
    assert result.returncode == 0, result.stdout
    assert "Docker Engine" in result.stdout
    assert "This machine is enrolled. Renters are given 127.0.0.1." in result.stdout
    assert "runc" in result.stdout


def test_check_names_what_is_missing(host: Host, tmp_path: Path) -> None:
    before, host.environment["DOCKER_HOST"] = host.environment, f"unix://{tmp_path}/nobody.sock"
    try:
        result = host.command("check")
    finally:
        host.environment = before
        del before["DOCKER_HOST"]
    assert result.returncode == 1
    assert "FAIL  Docker does not answer" in result.stdout


def test_a_rental_cannot_reach_services_of_the_host(running_host: Host) -> None:
    host, market = running_host, running_host.market
    desired = host.desire()
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    asked = host.ssh(seen, "route -n | awk '$1 == \"0.0.0.0\" {print $2}'")
    gateway = asked.stdout.strip()
    assert gateway, asked
    with socket.create_server((gateway, 0)) as service:
        port = service.getsockname()[1]
        socket.create_connection((gateway, port), timeout=5).close()
        inside = host.ssh(seen, f"nc -w 3 {gateway} {port} < /dev/null && echo reached")
    assert ("reached" in inside.stdout) is bool(firewall.missing())
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
