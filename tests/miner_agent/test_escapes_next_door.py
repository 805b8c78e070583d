"""What a rental finds of its neighbour, of the machine and of the world around it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.agent import ObservedState
from protocol.workload import PlacementKind
from tests.miner_agent.host import Host
from tests.miner_agent.lab import INTERNET, LOCAL, MACHINE, PORTS, PUBLISHED, Lab, agent, knock
from tests.miner_agent.programs import pairs, put

#: of the second tenant, inside, beside what it publishes
LISTENING = 8080
THERE = "10.213.0.10"
#: every name of the machine that a rental could know, and the loopback
MACHINES = (MACHINE, "10.213.0.1", "10.213.0.9", "172.17.0.1", "127.0.0.1")


@pytest.fixture(scope="module")
def program(tenants: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give both tenants the program; the second one's serves."""
    folder: Path = tmp_path_factory.mktemp("neighbour")
    put(tenants.first, "neighbour", folder)
    program = put(tenants.second, "neighbour", folder)
    client = [*tenants.host.inside, *tenants.host.client(tenants.second.seen), "root@127.0.0.1"]
    ports = (LISTENING, PUBLISHED)
    listen = (f"(while nc -l -p {port} -e true; do :; done) &" for port in ports)
    serve = f"{' '.join(listen)} {program} serve"
    with subprocess.Popen([*client, serve], stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == "serving\n"
        yield program
        serving.kill()


def outside(lab: Lab) -> list[int]:
    """Return the machine's ports that lead to the tenants."""
    tenants = (lab.first.seen, lab.second.seen)
    return [port for seen in tenants for port in (seen.ssh_port, seen.ports[0].outside)]


@pytest.fixture(scope="module")
def reached(tenants: Lab, program: str) -> dict[str, bool]:
    """Say of each address and port whether it answers the first tenant; all are tried at once."""
    doors = outside(tenants)
    own = [f"{one}:{port}" for one in MACHINES for port in (tenants.host.control_port, *doors)]
    out = [f"{INTERNET}:{port}" for port in PORTS]
    local = [f"{address}:80" for address in LOCAL]
    neighbours = [f"{THERE}:{port}" for port in (22, LISTENING, PUBLISHED)]
    targets = (*own, *out, *local, *neighbours)
    said = pairs(tenants.first.run(f"{program} reach {' '.join(targets)}"))
    assert set(said) == set(targets)
    return {target: how == "reached" for target, how in said.items()}


def test_nothing_of_a_neighbour_is_found(tenants: Lab, program: str) -> None:
    found = pairs(tenants.first.run(f"{program} look"))
    assert set(found.values()) == {"hidden"}
    # The same look from its own side finds all of it.
    assert set(pairs(tenants.second.run(f"{program} look")).values()) == {"found"}


def test_no_process_but_its_own_can_be_seen_or_signalled(tenants: Lab) -> None:
    seen = tenants.first.run("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
    assert "miner_agent" not in seen
    assert "dockerd" not in seen
    agent = tenants.host.process
    assert agent is not None
    tenants.host.ssh(tenants.first.seen, f"kill -9 {agent.pid}")
    assert agent.poll() is None


def test_the_internet_is_open_and_names_are_answered(
    tenants: Lab, reached: dict[str, bool]
) -> None:
    assert all(reached[f"{INTERNET}:{port}"] for port in (22, 80, 443))
    assert INTERNET in tenants.first.run("nslookup -type=a weights.example.org")


def test_no_letter_leaves(reached: dict[str, bool]) -> None:
    assert not any(reached[f"{INTERNET}:{port}"] for port in (25, 465, 587))


@pytest.mark.parametrize("address", LOCAL)
def test_no_local_address_is_reached(tenants: Lab, reached: dict[str, bool], address: str) -> None:
    assert not reached[f"{address}:80"]
    # It is there: the machine itself gets through.
    tenants.on_machine(*knock(address, 80))


@pytest.mark.parametrize("name", MACHINES)
def test_no_door_of_the_machine_is_reached(
    tenants: Lab, reached: dict[str, bool], name: str
) -> None:
    ports = (tenants.host.control_port, *outside(tenants))
    assert not any(reached[f"{name}:{port}"] for port in ports)


def test_no_neighbour_is_reached(reached: dict[str, bool]) -> None:
    assert not any(reached[f"{THERE}:{port}"] for port in (22, LISTENING, PUBLISHED))


def test_the_world_reaches_published_ports_and_nothing_else(tenants: Lab, program: str) -> None:
    tenants.outside("ip", "route", "add", "10.213.0.0/24", "via", MACHINE)
    seen = tenants.second.seen
    for port in (seen.ssh_port, seen.ports[0].outside):
        assert tenants.outside(*knock(MACHINE, port)).returncode == 0
    for port in (22, LISTENING, PUBLISHED):
        assert tenants.outside(*knock(THERE, port)).returncode != 0
    # It listens there: its own machine gets through.
    tenants.on_machine(*knock(THERE, LISTENING))


def test_rules_that_are_lost_while_tenants_run_come_back(tenants: Lab) -> None:
    rules = "iptables -S DOCKER-USER"
    assert "BERTH-FORWARD" in tenants.on_machine("sh", "-c", rules)
    # As a firewall's own program does when it reads its settings anew.
    tenants.on_machine("iptables", "-F")
    back = f"timeout 30 sh -c 'until {rules} | grep -q BERTH-FORWARD; do :; done'"
    tenants.on_machine("sh", "-c", back)


@pytest.fixture(scope="module")
def other(tenants: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("other")
    with agent(tenants.engine, folder, network="10.214.0.0/24") as other:
        yield other


def try_inside(lab: Lab, placement_id: object, command: str) -> tuple[int, str]:
    """Return status and answer of a command in a placement that nobody logs in to."""
    (container,) = lab.engine.ask(
        "ps", "-q", "--filter", f"name=berth-{placement_id}"
    ).stdout.split()
    done = lab.engine.ask("exec", container, "sh", "-c", command)
    return done.returncode, done.stdout.strip()


def test_a_job_has_no_network(tenants: Lab, other: Host) -> None:
    job = other.desire(kind=PlacementKind.JOB, command=("sleep", "1000"))
    other.market.wait_for(job.placement_id, ObservedState.RUNNING)
    assert try_inside(tenants, job.placement_id, "ls /sys/class/net") == (0, "lo")


def test_a_replica_has_no_way_out(tenants: Lab, other: Host) -> None:
    kind, command = PlacementKind.REPLICA, ("sleep", "1000")
    replica = other.desire(kind=kind, command=command, http_port=80)
    other.market.wait_for(replica.placement_id, ObservedState.RUNNING)
    for address, port in ((INTERNET, 80), (MACHINE, tenants.host.control_port), (THERE, 22)):
        status, _ = try_inside(tenants, replica.placement_id, " ".join(knock(address, port)))
        assert status != 0
    lookup = "timeout 2 nslookup -type=a weights.example.org"
    assert INTERNET not in try_inside(tenants, replica.placement_id, lookup)[1]
