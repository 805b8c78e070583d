"""Which images a renter gets: what a registry gives everybody, and what the host allowed."""

import base64
import json
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from miner_agent.engine import Engine
from miner_agent.images import ImagePullFailed, Images, ImageUnknown
from tests.miner_agent import images
from tests.miner_agent.host import docker
from tests.miner_agent.registry import LOGIN, Registry

MACHINE = "images-test"
#: a name server that takes the loopback for the wide world
WORLD = {"127.0.0.1": ["93.184.215.14"]}


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def made(engine: None) -> Iterator[list[str]]:
    """Names of images that the test makes as the host."""
    names: list[str] = []
    yield names
    finder().remove_unused()
    for name in names:
        docker("rmi", "-f", name)


def finder(*allowed: str, free_bytes: int = 1 << 40, free_files: int = 1 << 40) -> Images:
    return Images(
        engine=Engine(),
        machine=MACHINE,
        allowed=allowed,
        resolve=lambda host: WORLD.get(host, ()),
        free_bytes=lambda folder: free_bytes,
        free_files=lambda folder: free_files,
    )


def find(reference: str, *allowed: str) -> str:
    return finder(*allowed).image(reference, progress=lambda text: None).image_id


def test_an_image_that_a_registry_gives_everybody_is_fetched_once(
    registry: Registry, made: list[str]
) -> None:
    name = registry.push("open/tool", "1", images.content(text=registry.name))
    found = find(name)
    assert find(name) == found
    assert len([path for path in registry.asked if path.endswith(registry.layer)]) == 1


def test_a_fetched_image_does_not_move_the_hosts_own_tag(
    registry: Registry, made: list[str]
) -> None:
    name = registry.push("open/tool", "1", images.content(text=registry.name))
    mine = images.make(name, text="the host's own")
    made.append(name)
    find(name)
    assert docker("inspect", "-f", "{{.Id}}", name) == mine


def test_a_private_image_in_the_hosts_cache_is_not_handed_out(
    registry: Registry, made: list[str]
) -> None:
    name = registry.push("private/model", "1", images.content(text=registry.name))
    made.append(images.make(name))
    with pytest.raises(ImageUnknown, match="private/model:1 is not known"):
        find(name)


def test_an_image_is_not_found_by_its_id(made: list[str]) -> None:
    image_id = images.make("private-of-the-host:1")
    made.append("private-of-the-host:1")
    with pytest.raises(ImageUnknown):
        finder().image(image_id, progress=lambda text: None)


def test_the_hosts_own_log_in_is_not_used(
    registry: Registry, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = base64.b64encode(":".join(LOGIN).encode()).decode()
    config = {"auths": {registry.name: {"auth": login}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    name = registry.push("private/model", "1", images.content(text=registry.name))
    with pytest.raises(ImageUnknown):
        find(name)


def test_a_registry_that_keeps_silent_is_not_the_machines_fault(
    registry: Registry, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner_agent.engine.CALL_DEADLINE_S", 2)
    with pytest.raises(ImagePullFailed, match="the registry answered: nothing"):
        find(f"{registry.name}/silent/tool:1")


def test_a_registry_that_drips_is_given_up_and_keeps_nobody_waiting(
    registry: Registry, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner_agent.domain.pull.SLOW_S_MOST", 2)
    monkeypatch.setattr("miner_agent.images.PULLS_MOST", 1)
    images_here = finder("house/*")
    slow = registry.push("drip/tool", "1", images.content(text=random.randbytes(500_000).hex()))
    images.make("house/tool:1")
    made.append("house/tool:1")
    pulling, seen = threading.Event(), threading.Event()

    def progress(text: str) -> None:
        if text.startswith("pulling"):
            pulling.set()
            seen.wait(30)

    with ThreadPoolExecutor() as others:
        fetch = others.submit(images_here.image, slow, progress=progress)
        assert pulling.wait(30)
        images_here.image("house/tool:1", progress=lambda text: None)
        assert not fetch.done()
        seen.set()
        with pytest.raises(ImagePullFailed, match="less than 50 kB a second"):
            fetch.result()
    quick = registry.push("open/tool", "1", images.content(text=registry.name))
    assert images_here.image(quick, progress=lambda text: None)


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_what_a_registry_leads_to_is_not_told(
    registry: Registry, made: list[str], status: int
) -> None:
    registry.inside_status = status
    name = f"{registry.name}/astray/tool:1"
    with pytest.raises((ImageUnknown, ImagePullFailed)) as refused:
        find(name)
    assert "/inside/" in registry.asked
    assert "admin_token" not in str(refused.value)
    assert f"{name} " in str(refused.value)
    assert "the registry answered:" in str(refused.value)


def test_an_image_that_the_host_allows_needs_no_registry(made: list[str]) -> None:
    images.make("house/tool:1")
    made.append("house/tool:1")
    assert find("house/tool:1", "house/*").startswith("sha256:")


def test_a_registry_of_the_hosts_own_network_is_not_asked(registry: Registry) -> None:
    name = registry.push("open/tool", "1", images.content())
    with pytest.raises(ImageUnknown, match=r"127\.0\.0\.1 is no public registry"):
        Images(engine=Engine(), machine=MACHINE).image(name, progress=lambda text: None)
    assert registry.asked == []


def test_what_was_made_from_an_image_goes_when_the_image_goes(made: list[str]) -> None:
    images.make("house/brief:1", text="brief")
    found = find("house/brief:1", "house/*")
    finder().trim()
    assert origin(found)
    docker("rmi", "house/brief:1")
    finder().trim()
    assert found not in docker("images", "-q", "--no-trunc", "--filter", "dangling=true")


def test_a_full_disk_loses_unused_images_before_another_is_fetched(
    registry: Registry, made: list[str]
) -> None:
    first = find(registry.push("open/first", "1", images.content(text=f"1 {registry.name}")))
    fetched = origin(first)
    second = registry.push("open/second", "1", images.content(text=f"2 {registry.name}"))
    finder(free_bytes=3 << 30).image(second, progress=lambda text: None)
    left = docker("images", "-aq", "--no-trunc")
    assert first not in left
    assert fetched not in left


def test_an_image_that_would_fill_the_disk_is_not_fetched(
    registry: Registry, made: list[str]
) -> None:
    name = registry.push("open/huge", "1", images.content(text=registry.name))
    with pytest.raises(ImagePullFailed, match="no room"):
        finder(free_bytes=1 << 30).image(name, progress=lambda text: None)


def test_an_image_that_would_use_up_the_disks_files_is_not_fetched(
    registry: Registry, made: list[str]
) -> None:
    name = registry.push("open/many", "1", images.content(text=registry.name))
    with pytest.raises(ImagePullFailed, match="no room"):
        finder(free_files=1000).image(name, progress=lambda text: None)


def test_an_image_larger_than_any_is_given_up(
    registry: Registry, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner_agent.images.IMAGE_BYTES_MOST", 1000)
    name = registry.push("open/large", "1", images.content(text=random.randbytes(900_000).hex()))
    with pytest.raises(ImagePullFailed, match="larger than"):
        finder().image(name, progress=lambda text: None)


def origin(image_id: str) -> str:
    return docker("inspect", "-f", '{{index .Config.Labels "berth.origin"}}', image_id)
