"""A rental gets the cards it was given, no others, and hears why where the machine has none."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from protocol.agent import DesiredPlacement, ObservedPlacement, ObservedState
from protocol.validator import SSH_USER
from tests.miner_agent import images
from tests.miner_agent.access.visitors import certified
from tests.miner_agent.gpu import driver
from tests.miner_agent.gpu.engine import gpu_engine
from tests.miner_agent.host import Host, docker
from tests.miner_agent.market import LoopbackMarket

IMAGE = "berth-test-gpu:one"
CARDS = "".join(f"card GPU-{number} NVIDIA_H100 81920 0 off\n" for number in range(4))
NODES = "ls /dev | grep nvidia | tr '\\n' ' '"


@pytest.fixture(scope="module")
def gpu_host(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A machine with four cards, on an engine that hands them out."""
    folder = tmp_path_factory.mktemp("gpu")
    library = driver.build(folder)
    (folder / "cards").write_text(CARDS)
    market = LoopbackMarket()
    with gpu_engine(folder) as address:
        images.make(IMAGE, engine=address)
        network = f"10.217.{os.getpid() % 250}.0/24"
        host = Host(folder, market, image=IMAGE, network=network)
        host.environment |= {
            "DOCKER_HOST": address,
            "BERTH_AGENT_ALLOW_UNISOLATED": "1",
            "LD_LIBRARY_PATH": str(library),
            "FAKE_NVML": str(folder / "cards"),
        }
        host.enroll()
        host.start()
        try:
            yield host
        finally:
            host.stop()
            host.command("uninstall")
            market.close()


def ask(host: Host, *uuids: str, **changes: object) -> DesiredPlacement:
    return host.desire(gpu_uuids=uuids, **changes)


def end(host: Host, placement: DesiredPlacement) -> None:
    host.market.end(placement.placement_id)
    host.market.wait_for(placement.placement_id, ObservedState.GONE)
    host.market.drop(placement.placement_id)


def running(host: Host, placement: DesiredPlacement) -> ObservedPlacement:
    return host.market.wait_for(placement.placement_id, ObservedState.RUNNING)


def test_the_marketplace_hears_of_every_card(gpu_host: Host) -> None:
    enrolled = gpu_host.market.enrolled
    assert enrolled is not None
    assert [gpu.uuid for gpu in enrolled.hardware.gpus] == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]


def test_a_rental_sees_its_own_cards_only_whatever_its_variables_say(gpu_host: Host) -> None:
    greedy = {"NVIDIA_VISIBLE_DEVICES": "all"}
    two = ask(gpu_host, "GPU-1", "GPU-3", environment=greedy)
    seen = running(gpu_host, two)
    assert gpu_host.ssh(seen, NODES).stdout.split() == ["nvidia1", "nvidia3", "nvidiactl"]

    other = ask(gpu_host, "GPU-3")
    refused = gpu_host.market.wait_for(other.placement_id, ObservedState.GONE)
    assert refused.problem is not None
    assert refused.problem.code == "no_capacity"
    gpu_host.market.drop(other.placement_id)

    end(gpu_host, two)
    again = ask(gpu_host, "GPU-3")
    assert gpu_host.ssh(running(gpu_host, again), NODES).stdout.split() == ["nvidia3", "nvidiactl"]
    end(gpu_host, again)


def test_a_proof_has_the_free_cards_alone_until_a_rental_wants_one(gpu_host: Host) -> None:
    validator = asyncssh.generate_private_key("ssh-ed25519")
    gpu_host.market.admit(validator.export_public_key().decode().strip())
    rented = ask(gpu_host, "GPU-1")
    running(gpu_host, rented)
    asyncio.run(prove_while_another_comes(gpu_host, validator))
    end(gpu_host, rented)


async def prove_while_another_comes(host: Host, validator: asyncssh.SSHKey) -> None:
    name = f"berth-proof-{host.market.machine_key[:12]}"
    engine = ("-H", host.environment["DOCKER_HOST"])
    async with (
        asyncssh.connect(
            "127.0.0.1",
            host.control_port,
            username=SSH_USER,
            client_keys=[certified(validator, host.market.machine_key)],
            known_hosts=None,
            config=None,
            agent_path=None,
        ) as connection,
        connection.create_process("proof") as prover,
    ):
        prover.stdin.write('{"op":"hello","bind":"00"}\n')
        said = json.loads(await asyncio.wait_for(prover.stdout.readline(), 30))
        assert said["gpus_missing"]
        found = json.loads(docker(*engine, "inspect", name))[0]
        (request,) = found["HostConfig"]["DeviceRequests"]
        assert (request["Driver"], request["DeviceIDs"]) == ("nvidia", ["GPU-0", "GPU-2", "GPU-3"])
        nodes = Path("/proc", str(found["State"]["Pid"]), "root/dev").glob("nvidia*")
        assert sorted(node.name for node in nodes) == ["nvidia0", "nvidia2", "nvidia3", "nvidiactl"]
        other = ask(host, "GPU-0")
        # No word of the validator's ends it.
        await asyncio.wait_for(prover.wait(), 30)
        await asyncio.to_thread(running, host, other)
        await asyncio.to_thread(end, host, other)


def test_a_rental_without_gpus_gets_none_though_it_asks(gpu_host: Host) -> None:
    none = ask(gpu_host, environment={"NVIDIA_VISIBLE_DEVICES": "all"})
    assert gpu_host.ssh(running(gpu_host, none), NODES).stdout == ""
    end(gpu_host, none)


def test_a_card_that_the_machine_does_not_have_is_named(gpu_host: Host) -> None:
    unknown = ask(gpu_host, "GPU-9")
    refused = gpu_host.market.wait_for(unknown.placement_id, ObservedState.GONE)
    assert refused.problem is not None
    assert "GPU-9" in refused.problem.message
    gpu_host.market.drop(unknown.placement_id)


def test_a_driver_that_fails_at_the_start_ends_the_rental_with_a_reason(
    gpu_host: Host,
) -> None:
    hooks = Path(gpu_host.home) / "hooks"
    (hooks / "cards").unlink()
    try:
        failing = ask(gpu_host, "GPU-0")
        refused = gpu_host.market.wait_for(failing.placement_id, ObservedState.GONE)
        assert refused.problem is not None
        assert refused.problem.code == "gpu_unavailable"
        assert "driver not loaded" not in refused.problem.message
        gpu_host.market.drop(failing.placement_id)
    finally:
        (hooks / "cards").write_text(CARDS)
