"""The agent killed at any moment, the market gone, containers that die: everything converges."""

import signal
import socket
import time

import pytest

from protocol.agent import ObservedState
from protocol.receipts import check_chain
from tests.miner_agent import images
from tests.miner_agent.host import Host, docker, is_left


def test_a_rental_outlives_the_agent_and_its_chain_goes_on(running_host: Host) -> None:
    host, market = running_host, running_host.market
    desired = host.desire()
    before = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    host.stop(signal.SIGKILL)
    assert host.ssh(before, "echo alive").stdout == "alive\n"
    syncs = market.syncs
    host.start()
    market.wait_until(lambda: market.syncs > syncs)
    after = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert after.ssh_port == before.ssh_port
    assert after.ssh_host_key == before.ssh_host_key
    assert after.run == before.run
    assert after.age_ms > before.age_ms
    assert host.ssh(after, "echo alive").stdout == "alive\n"
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    assert check_chain(market.chains[desired.placement_id]) > after.age_ms - 100
    assert {signed.interval.run for signed in market.chains[desired.placement_id]} == {0}
    assert is_left(desired.placement_id, host.home) == []


@pytest.mark.parametrize("after_s", [0.1, 0.35])
def test_a_kill_at_any_moment_of_start_and_end_leaves_nothing(
    running_host: Host, after_s: float
) -> None:
    host, market = running_host, running_host.market
    desired = host.desire()
    # A process is killed at an instant that no event announces: only time can choose it.
    time.sleep(after_s)
    host.stop(signal.SIGKILL)
    host.start()
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    market.end(desired.placement_id)
    time.sleep(after_s)
    host.stop(signal.SIGKILL)
    host.start()
    market.wait_for(desired.placement_id, ObservedState.GONE)
    assert is_left(desired.placement_id, host.home) == []
    assert check_chain(market.chains[desired.placement_id]) > 0
    assert market.failures == []
    market.drop(desired.placement_id)


def test_a_container_that_dies_is_started_again_as_a_new_run(running_host: Host) -> None:
    host, market = running_host, running_host.market
    image = "berth-test-brief:1"
    images.make(image)
    desired = host.desire(image=image)
    first = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    host.ssh(first, "echo kept > /root/file")
    # Its image may be gone by then, and its registry too.
    docker("rmi", image)
    docker("kill", f"berth-{desired.placement_id}-0")

    def runs_again() -> bool:
        seen = market.observed[desired.placement_id]
        return seen.run == 1 and seen.state is ObservedState.RUNNING

    market.wait_until(runs_again)
    second = market.observed[desired.placement_id]
    kept, free_kib = host.ssh(second, "cat /root/file; df / | tail -1").stdout.split("\n", 1)
    assert kept == "kept"
    assert int(free_kib.split()[1]) < 64 * 1024
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    chain = market.chains[desired.placement_id]
    assert [signed.interval.run for signed in chain] == [0, 1]
    assert is_left(desired.placement_id, host.home) == []


def test_a_container_that_nobody_knows_is_removed(running_host: Host) -> None:
    host = running_host
    stranger = "00000000-0000-4000-8000-000000000001"
    name = host.market.machine_key[:12]
    labels = ["-l", f"berth.machine={name}", "-l", f"berth.placement={stranger}"]
    docker("create", "--name", f"berth-{stranger}", *labels, host.image)
    deadline = time.monotonic() + 90
    while docker("ps", "-aq", "--filter", f"name=berth-{stranger}"):
        assert time.monotonic() < deadline, "the stranger is still there"
        time.sleep(0.2)


def test_a_funded_time_that_runs_out_ends_a_rental_while_the_market_is_silent(
    running_host: Host,
) -> None:
    host, market = running_host, running_host.market
    desired = host.desire()
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    # Only now: a busy machine may take longer than that to start it.
    market.want(desired.model_copy(update={"run_for_ms": 4000}))
    revision = market.revision

    def falls_silent() -> bool:
        # At once, as each answer would lengthen its time.
        market.silent = market.applied >= revision
        return market.silent

    market.wait_until(falls_silent)
    try:
        deadline = time.monotonic() + 90
        while docker("ps", "-q", "--filter", f"name=berth-{desired.placement_id}"):
            assert time.monotonic() < deadline, "it still runs"
            time.sleep(0.2)
    finally:
        market.silent = False
    seen = market.wait_for(desired.placement_id, ObservedState.GONE)
    assert seen.problem.code == "lease_ended"
    market.drop(desired.placement_id)


def test_a_port_that_another_program_took_is_replaced(running_host: Host) -> None:
    host, market = running_host, running_host.market
    claimed = {seen.ssh_port for seen in market.observed.values()}
    first = next(
        port
        for port in range(host.control_port + 1, host.control_port + 11)
        if port not in claimed and is_free(port)
    )
    with socket.create_server(("127.0.0.1", first)):
        desired = host.desire()
        seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
        assert seen.ssh_port != first
        assert host.ssh(seen, "echo in").stdout == "in\n"
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)


def test_a_rental_waits_for_its_port_and_keeps_its_files(running_host: Host) -> None:
    host, market = running_host, running_host.market
    desired = host.desire()
    first = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    host.ssh(first, "echo kept > /root/file")
    name = f"berth-{desired.placement_id}-0"
    made = docker("inspect", "-f", "{{.Id}}", name)
    host.stop()
    docker("kill", name)
    # An agent that would make containers otherwise than the one before, as after an upgrade.
    host.environment["BERTH_AGENT_DNS"] = "9.9.9.9"
    with socket.create_server(("127.0.0.1", first.ssh_port)):
        host.start()
        log = host.home / "agent.log"
        deadline = time.monotonic() + 90
        while f"{first.ssh_port}: bind" not in log.read_text():
            assert time.monotonic() < deadline, "it was not tried"
            time.sleep(0.05)
    del host.environment["BERTH_AGENT_DNS"]

    def runs_again() -> bool:
        seen = market.observed[desired.placement_id]
        return seen.run == 1 and seen.state is ObservedState.RUNNING

    market.wait_until(runs_again)
    second = market.observed[desired.placement_id]
    assert second.ssh_port == first.ssh_port
    assert host.ssh(second, "cat /root/file").stdout == "kept\n"
    assert docker("inspect", "-f", "{{.Id}}", name) == made
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    assert is_left(desired.placement_id, host.home) == []


def test_a_second_agent_with_the_same_state_is_refused(running_host: Host) -> None:
    result = running_host.command("run")
    assert result.returncode == 1
    assert "Another agent is running" in result.stderr


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
