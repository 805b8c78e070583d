"""Jobs and replicas on Docker: what runs, what it reaches, and how it ends."""

import pytest

from protocol.agent import ObservedState, Want
from protocol.receipts import check_chain
from protocol.workload import PlacementKind
from tests.miner_agent.host import Host, docker, is_left
from tests.miner_agent.lab import INTERNET, Lab


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -9 $$", 137)])
def test_a_job_ends_with_its_commands_exit_code_and_never_starts_again(
    running_host: Host, command: str, code: int
) -> None:
    market = running_host.market
    desired = running_host.desire(kind=PlacementKind.JOB, command=("sh", "-c", command))
    seen = market.wait_for(desired.placement_id, ObservedState.GONE)
    assert (seen.exit_code, seen.problem, seen.run) == (code, None, 0)
    assert is_left(desired.placement_id, running_host.home) == []
    market.drop(desired.placement_id)


def test_a_job_has_no_network_no_door_and_no_more_rights_than_a_rental(running_host: Host) -> None:
    market = running_host.market
    probe = (
        "sleep 1; test -z \"$(ls /sys/class/net | grep -v '^lo$')\" || exit 3;"
        " nc -w 1 1.1.1.1 53 </dev/null && exit 4;"
        " grep -q '^NoNewPrivs:.1' /proc/self/status || exit 5;"
        " grep -q '^Seccomp_filters:.2' /proc/self/status || exit 6;"
        " mknod /tmp/disk b 7 0 && exit 7; exit 0"
    )
    desired = running_host.desire(kind=PlacementKind.JOB, command=("sh", "-c", probe))
    seen = market.wait_for(desired.placement_id, ObservedState.GONE)
    assert (seen.exit_code, seen.problem) == (0, None)
    assert (seen.ssh_port, seen.ssh_host_key, seen.ports) == (None, None, ())
    market.wait_until(lambda: market.chains.get(desired.placement_id))
    # The engine's clock may call the command begun a little after its sleep began.
    assert check_chain(market.chains[desired.placement_id]) >= 900
    market.drop(desired.placement_id)


def test_a_job_that_its_agent_left_alone_ends_once(running_host: Host) -> None:
    market = running_host.market
    desired = running_host.desire(kind=PlacementKind.JOB, command=("sleep", "2"))
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    running_host.stop()
    docker("wait", f"berth-{desired.placement_id}-0")
    running_host.start()
    seen = market.wait_for(desired.placement_id, ObservedState.GONE)
    assert (seen.exit_code, seen.problem, seen.run) == (0, None, 0)
    market.drop(desired.placement_id)


def test_a_replica_is_reached_by_its_machine_alone_and_reaches_nobody(tenants: Lab) -> None:
    host, market = tenants.host, tenants.host.market
    # It needs the second tenant's core; that one comes back with all it had.
    waiting = tenants.second.desired.model_copy(update={"want": Want.STOP})
    market.want(waiting)
    market.wait_for(waiting.placement_id, ObservedState.STOPPED)
    reach = f"nc -w 1 {INTERNET} 443 -e true"
    assert host.ssh(tenants.first.seen, reach).returncode == 0
    serve = f"{reach} && touch /reached; echo tried > /tried; httpd -f -p 8080 -h /"
    desired = host.desire(kind=PlacementKind.REPLICA, http_port=8080, command=("sh", "-c", serve))
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert (seen.ssh_port, seen.ssh_host_key, seen.ports) == (None, None, ())
    name, ask = f"berth-{desired.placement_id}-0", tenants.engine.ask
    assert ask("port", name).stdout == ""
    network = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = ask("inspect", "-f", network, name).stdout.strip()
    page = f"for i in $(seq 50); do busybox wget -qO- {address}:8080/tried && exit; sleep 0.1; done"
    assert tenants.on_machine("sh", "-c", page) == "tried\n"
    assert "404" in tenants.on_machine(
        "sh", "-c", f"busybox wget -O- {address}:8080/reached 2>&1;:"
    )
    assert host.ssh(tenants.first.seen, f"nc -w 1 {address} 8080 -e true").returncode != 0
    # What dies is started again, as a rental is.
    ask("kill", name)
    market.wait_until(lambda: market.observed[desired.placement_id].run == 1)
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    market.drop(desired.placement_id)
    market.want(tenants.second.desired)
    market.wait_for(waiting.placement_id, ObservedState.RUNNING)
    assert tenants.second.run("id -u") == "0"
