"""What cannot run: each case is a stable code, one sentence, and nothing is left behind."""

from collections.abc import Iterator

import pytest

from protocol.agent import ObservedState
from tests.miner_agent import images
from tests.miner_agent.host import Host, docker, is_left
from tests.miner_agent.registry import Registry
from tests.ports import free_port


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


def refused(host: Host, **changes: object) -> tuple[str, str]:
    desired = host.desire(**changes)
    seen = host.market.wait_for(desired.placement_id, ObservedState.GONE)
    assert is_left(desired.placement_id, host.home) == []
    assert desired.placement_id not in host.market.chains
    host.market.drop(desired.placement_id)
    return seen.problem.code, seen.problem.message


def test_an_image_that_the_registry_does_not_know(running_host: Host, registry: Registry) -> None:
    image = f"{registry.name}/open/nothing:1"
    code, message = refused(running_host, image=image)
    assert code == "image_unknown"
    assert image in message
    assert "manifest unknown" in message


def test_an_image_that_the_registry_does_not_give(running_host: Host, registry: Registry) -> None:
    image = f"{registry.name}/broken/thing"
    code, message = refused(running_host, image=image)
    assert code == "image_pull_failed"
    assert image in message
    assert "the registry answered:" in message


def test_a_private_image_of_the_host(running_host: Host, registry: Registry) -> None:
    image = registry.push("private/model", "1", images.content())
    images.make(image)
    code, message = refused(running_host, image=image)
    docker("rmi", image)
    assert code == "image_unknown"
    assert image in message


def test_a_registry_that_is_not_there(running_host: Host) -> None:
    image = f"127.0.0.1:{free_port()}/open/image"
    code, message = refused(running_host, image=image)
    assert code == "image_pull_failed"
    assert image in message
    assert "connection refused" in message


def test_a_name_that_no_image_can_have(running_host: Host) -> None:
    code, message = refused(running_host, image="Not A Name")
    assert code == "image_unknown"
    assert "Not A Name" in message


def test_more_cores_than_the_machine_has_free(running_host: Host) -> None:
    code, message = refused(running_host, cpus=4096)
    assert code == "no_capacity"
    assert "4096 CPU cores" in message


def test_a_disk_that_the_machine_has_no_room_for(running_host: Host) -> None:
    code, message = refused(running_host, disk_bytes=1 << 50)
    assert code == "no_capacity"
    assert "bytes of disk" in message


def test_more_memory_than_the_machine_has(running_host: Host) -> None:
    code, message = refused(running_host, ram_bytes=1 << 50)
    assert code == "no_capacity"
    assert "bytes of memory" in message


def test_no_memory_which_docker_would_read_as_no_limit(running_host: Host) -> None:
    code, message = refused(running_host, ram_bytes=0)
    assert code == "workload_refused"
    assert "without memory" in message


def test_a_runtime_that_the_host_has_not_allowed(running_host: Host) -> None:
    code, message = refused(running_host, runtime="runsc")
    assert code == "runtime_unknown"
    assert "runsc" in message


def test_a_token_that_is_not_known(host: Host) -> None:
    if host.process is not None:
        host.stop()
    result = host.command("enroll", told="never-issued")
    assert result.returncode == 1
    assert result.stderr.strip() == "berth-agent: This enrolment token is not known."
