"""Which images a renter gets: what a registry gives everybody, and what the host allowed."""

import base64
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from miner_agent.engine import Engine
from miner_agent.images import ImagePullFailed, Images, ImageUnknown
from tests.miner_agent import images
from tests.miner_agent.finder import MACHINE, Finder
from tests.miner_agent.host import docker
from tests.miner_agent.registry import LOGIN, Registry


def test_an_image_that_a_registry_gives_everybody_is_fetched_once(
    registry: Registry, finder: Finder
) -> None:
    name = registry.push("open/tool", "1", images.content(text=registry.name))
    found = finder.find(name)
    assert finder.find(name) == found
    assert len([path for path in registry.asked if path.endswith(registry.layer)]) == 1


def test_a_fetched_image_does_not_move_the_hosts_own_tag(
    registry: Registry, finder: Finder
) -> None:
    name = registry.push("open/tool", "1", images.content(text=registry.name))
    mine = finder.make(name, text="the host's own")
    finder.find(name)
    assert docker("inspect", "-f", "{{.Id}}", name) == mine


def test_a_private_image_in_the_hosts_cache_is_not_handed_out(
    registry: Registry, finder: Finder
) -> None:
    name = registry.push("private/model", "1", images.content(text=registry.name))
    finder.make(name)
    with pytest.raises(ImageUnknown, match="private/model:1 is not known"):
        finder.find(name)


def test_an_image_is_not_found_by_its_id(finder: Finder) -> None:
    image_id = finder.make("private-of-the-host:1")
    with pytest.raises(ImageUnknown):
        finder.find(image_id)


def test_the_hosts_own_log_in_is_not_used(
    registry: Registry, finder: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.guard = "Basic"
    login = base64.b64encode(":".join(LOGIN).encode()).decode()
    config = {"auths": {registry.name: {"auth": login}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    name = registry.push("private/model", "1", images.content(text=registry.name))
    with pytest.raises(ImageUnknown):
        finder.find(name)
    assert registry.shown == {""}


def test_a_registry_that_keeps_silent_is_not_the_machines_fault(
    registry: Registry, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner_agent.engine.CALL_DEADLINE_S", 2)
    with pytest.raises(ImagePullFailed, match="the registry answered: nothing"):
        finder.find(f"{registry.name}/silent/tool:1")


def test_a_registry_that_drips_is_given_up_and_keeps_nobody_waiting(
    registry: Registry, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner_agent.domain.pull.SLOW_S_MOST", 2)
    monkeypatch.setattr("miner_agent.fetching.PULLS_MOST", 1)
    here = finder.images("house/*")
    slow = registry.push("drip/tool", "1", images.content(text=random.randbytes(500_000).hex()))
    finder.make("house/tool:1")
    pulling, seen = threading.Event(), threading.Event()

    def progress(text: str) -> None:
        if text.startswith("pulling"):
            pulling.set()
            seen.wait(30)

    with ThreadPoolExecutor() as others:
        fetch = others.submit(finder.find, slow, among=here, progress=progress)
        assert pulling.wait(30)
        finder.find("house/tool:1", among=here)
        assert not fetch.done()
        seen.set()
        with pytest.raises(ImagePullFailed, match="less than 50 kB a second"):
            fetch.result()
    quick = registry.push("open/tool", "1", images.content(text=registry.name))
    assert finder.find(quick, among=here)


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_what_a_registry_leads_to_is_not_told(
    registry: Registry, finder: Finder, status: int
) -> None:
    registry.inside_status = status
    name = f"{registry.name}/astray/tool:1"
    with pytest.raises((ImageUnknown, ImagePullFailed)) as refused:
        finder.find(name)
    assert "/inside/" in registry.asked
    assert "admin_token" not in str(refused.value)
    assert f"{name} " in str(refused.value)
    assert "the registry answered:" in str(refused.value)


def test_an_image_that_the_host_allows_needs_no_registry(finder: Finder) -> None:
    finder.make("house/tool:1")
    assert finder.find("house/tool:1", "house/*").startswith("sha256:")


def test_a_registry_of_the_hosts_own_network_is_not_asked(
    registry: Registry, finder: Finder
) -> None:
    name = registry.push("open/tool", "1", images.content())
    with pytest.raises(ImageUnknown, match=r"127\.0\.0\.1 is no public registry"):
        finder.find(name, among=Images(engine=Engine(), book=finder.book, machine=MACHINE))
    assert registry.asked == []


def test_what_was_made_from_an_image_goes_when_the_image_goes(finder: Finder) -> None:
    images.make("house/brief:1", text="brief")
    found = finder.find("house/brief:1", "house/*")
    finder.images().trim()
    assert origin(found)
    docker("rmi", "house/brief:1")
    finder.images().trim()
    assert finder.find("house/brief:1", placement_id=finder.placements[0]) == found
    finder.end_all()
    finder.images().trim()
    assert found not in docker("images", "-q", "--no-trunc", "--filter", "dangling=true")


def test_a_full_disk_loses_unused_images_before_another_is_fetched(
    registry: Registry, finder: Finder
) -> None:
    first = finder.find(registry.push("open/first", "1", images.content(text=f"1 {registry.name}")))
    fetched = origin(first)
    second = registry.push("open/second", "1", images.content(text=f"2 {registry.name}"))
    finder.end_all()
    finder.find(second, among=finder.images(free_bytes=3 << 30))
    left = docker("images", "-aq", "--no-trunc")
    assert first not in left
    assert fetched not in left


def test_an_image_that_would_fill_the_disk_is_not_fetched(
    registry: Registry, finder: Finder
) -> None:
    name = registry.push("open/huge", "1", images.content(text=registry.name))
    with pytest.raises(ImagePullFailed, match="no room"):
        finder.find(name, among=finder.images(free_bytes=1 << 30))


def test_an_image_that_would_use_up_the_disks_files_is_not_fetched(
    registry: Registry, finder: Finder
) -> None:
    name = registry.push("open/many", "1", images.content(text=registry.name))
    with pytest.raises(ImagePullFailed, match="no room"):
        finder.find(name, among=finder.images(free_files=1000))


def test_an_image_larger_than_any_is_given_up(
    registry: Registry, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner_agent.fetching.IMAGE_BYTES_MOST", 1000)
    name = registry.push("open/large", "1", images.content(text=random.randbytes(900_000).hex()))
    with pytest.raises(ImagePullFailed, match="larger than"):
        finder.find(name)


def origin(image_id: str) -> str:
    return docker("inspect", "-f", '{{index .Config.Labels "berth.origin"}}', image_id)
