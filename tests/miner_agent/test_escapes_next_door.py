"""What a rental finds of its neighbour, of the machine and of the world around it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.miner_agent.lab import INTERNET, LOCAL, MACHINE, PORTS, Lab, knock
from tests.miner_agent.programs import pairs, put

#: of the second tenant, inside: the first one declares no port
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
    serve = f"nc -l -p {LISTENING} -e true & {program} serve"
    with subprocess.Popen([*client, serve], stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == "serving\n"
        yield program
        serving.kill()


@pytest.fixture(scope="module")
def reached(tenants: Lab, program: str) -> dict[str, bool]:
    """Say of each address and port whether it answers the first tenant; all are tried at once."""
    doors = (tenants.first.seen.ssh_port, tenants.second.seen.ssh_port)
    own = [f"{one}:{port}" for one in MACHINES for port in (tenants.host.control_port, *doors)]
    out = [f"{INTERNET}:{port}" for port in PORTS]
    local = [f"{address}:80" for address in LOCAL]
    neighbours = [f"{THERE}:22", f"{THERE}:{LISTENING}"]
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
    doors = [tenants.first.seen.ssh_port, tenants.second.seen.ssh_port]
    assert not any(reached[f"{name}:{port}"] for port in (tenants.host.control_port, *doors))


def test_no_neighbour_is_reached(reached: dict[str, bool]) -> None:
    assert not reached[f"{THERE}:22"]
    assert not reached[f"{THERE}:{LISTENING}"]


def test_the_world_reaches_published_ports_and_nothing_else(tenants: Lab, program: str) -> None:
    tenants.outside("ip", "route", "add", "10.213.0.0/24", "via", MACHINE)
    seen = tenants.second.seen
    assert tenants.outside(*knock(MACHINE, seen.ssh_port)).returncode == 0
    for port in (22, LISTENING):
        assert tenants.outside(*knock(THERE, port)).returncode != 0
    # It listens there: its own machine gets through.
    tenants.on_machine(*knock(THERE, LISTENING))
