"""Which images stay on the machine, and what a tag that moves means for who runs already."""

import logging

import pytest

from miner_agent.prepull import PREPULLS, Prepull
from tests.miner_agent import images
from tests.miner_agent.finder import Finder
from tests.miner_agent.host import docker
from tests.miner_agent.registry import Registry


def push(registry: Registry, name: str, text: str) -> str:
    return registry.push(name, "1", images.content(text=f"{text} {registry.name}"))


def has(name: str) -> bool:
    """Say whether something of this repository is here."""
    return bool(docker("images", "-q", "--digests", name.rpartition(":")[0]))


def test_a_tag_that_moves_is_another_image_for_new_placements_only(
    registry: Registry, finder: Finder
) -> None:
    name = push(registry, "open/tool", "former")
    former = finder.find(name)
    assert push(registry, "open/tool", "later") == name
    assert finder.find(name, placement_id=finder.placements[0]) == former
    assert finder.find(name) != former


def test_an_image_that_was_removed_is_fetched_again_as_what_it_was(
    registry: Registry, finder: Finder
) -> None:
    name = push(registry, "open/tool", "former")
    former = finder.find(name)
    first = finder.placements[0]
    # As somebody who cleans up by hand does.
    (pinned,) = finder.book.pinned()
    docker("rmi", former, pinned)
    push(registry, "open/tool", "later")
    assert finder.find(name, placement_id=first) == former


def test_what_could_not_be_had_is_asked_for_anew(registry: Registry, finder: Finder) -> None:
    name = push(registry, "open/tool", "one")
    missing = registry.blobs.pop(registry.layer)
    broken = registry.layer
    with pytest.raises(Exception, match=r"could not be pulled|not known"):
        finder.find(name)
    push(registry, "open/tool", "two")
    registry.blobs[broken] = missing
    assert finder.book.pinned() == frozenset()
    finder.find(name, placement_id=finder.placements[0])
    assert registry.layer in "".join(registry.asked)


def test_beyond_the_limit_those_go_that_were_not_used_for_longest(
    registry: Registry, finder: Finder
) -> None:
    names = [push(registry, f"open/tool{number}", str(number)) for number in range(3)]
    for name in names[:2]:
        finder.find(name)
    # Used later than the second one.
    finder.find(names[0], placement_id=finder.placements[0])
    finder.end_all()
    size = int(docker("inspect", "-f", "{{.Size}}", finder.book.fetched()[0]))
    finder.find(names[2], among=finder.images(bytes_most=int(size * 2.5)))
    assert [has(name) for name in names] == [True, False, True]


def test_no_limit_takes_an_image_from_a_placement_or_the_host(
    registry: Registry, finder: Finder
) -> None:
    kept = push(registry, "open/kept", "kept")
    finder.find(kept)
    ended = push(registry, "open/ended", "ended")
    image_id = finder.find(ended)
    hosts = push(registry, "open/hosts", "hosts")
    docker("pull", "-q", hosts)
    finder.hosts_own.append(hosts)
    finder.find(hosts)
    adopted = push(registry, "open/adopted", "adopted")
    finder.find(adopted)
    docker("pull", "-q", adopted)
    finder.hosts_own.append(adopted)
    # A container of which the book knows nothing any more.
    container = docker("create", image_id, "sleep")
    try:
        for placement_id in finder.placements[1:]:
            finder.images().let_go(placement_id)
        finder.images(bytes_most=0).trim()
        assert [has(name) for name in (kept, ended, hosts, adopted)] == [True] * 4
    finally:
        docker("rm", container)
    finder.images(bytes_most=0).trim()
    assert [has(name) for name in (kept, ended, hosts, adopted)] == [True, False, True, True]


def test_a_start_that_failed_leaves_its_image_to_the_limit(
    registry: Registry, finder: Finder
) -> None:
    name = push(registry, "open/tool", "one")

    def killed(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finder.find(name, progress=killed)
    # Fetched, and dead before a container was made of it: nothing but the book knows it.
    origin = f"{name.rpartition(':')[0]}@{finder.images()._engine.digest(name, login=None)}"
    docker("pull", "-q", origin)
    finder.book.used(origin, now_ms=1, fetched=True)
    finder.images(bytes_most=0).trim()
    assert not has(name)
    assert finder.book.fetched() == ()


def test_what_the_host_expects_is_fetched_before_anybody_asks_and_kept(
    registry: Registry, finder: Finder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="miner_agent")
    gone = f"{registry.name}/open/none:1"
    name = push(registry, "open/tool", "one")
    here = finder.images(bytes_most=0)
    prepull = Prepull(
        images=here, references=(gone, name), is_idle=lambda: True, is_leaving=lambda: False
    )
    finder.placements.append(PREPULLS)
    prepull.begin()
    assert [prepull.fetch_next(), prepull.fetch_next()] == [False, True]
    here.trim()
    fetched = len([path for path in registry.asked if path.endswith(registry.layer)])
    finder.find(name, among=here)
    assert len([path for path in registry.asked if path.endswith(registry.layer)]) == fetched == 1
    told = [record.getMessage() for record in caplog.records]
    assert "image prepulled" in told
    assert "image not prepulled" in told
    assert "image prepull goes on" in told


def test_a_tag_that_moved_is_prepulled_anew_by_the_next_agent(
    registry: Registry, finder: Finder
) -> None:
    name = push(registry, "open/tool", "former")
    here = finder.images(bytes_most=0)
    finder.placements.append(PREPULLS)
    for _ in ("former", "later"):
        prepull = Prepull(
            images=here, references=(name,), is_idle=lambda: True, is_leaving=lambda: False
        )
        prepull.begin()
        assert prepull.fetch_next()
        before = finder.book.pinned()
        push(registry, "open/tool", "later")
    assert finder.book.pinned() == before
    assert len(finder.book.fetched()) == 1


def test_a_leaving_agent_gives_a_prepull_up(registry: Registry, finder: Finder) -> None:
    name = push(registry, "open/tool", "one")
    prepull = Prepull(
        images=finder.images(), references=(name,), is_idle=lambda: True, is_leaving=lambda: True
    )
    assert not prepull.fetch_next()
    assert finder.book.pinned() == frozenset()
