"""A private image: its log-in goes to its registry, and is remembered and told nowhere."""

import json
import logging
from pathlib import Path

import pytest

from miner_agent.engine import Engine
from miner_agent.images import ImageUnknown
from miner_agent.log import Fields
from protocol.agent import DesiredPlacement, RegistryLogin
from tests.miner_agent import images
from tests.miner_agent.finder import Finder
from tests.miner_agent.registry import LOGIN, Registry

RIGHT = RegistryLogin(username=LOGIN[0], password=LOGIN[1])
WRONG = RegistryLogin(username=LOGIN[0], password="marked-password")


@pytest.mark.parametrize("guard", ["Basic", "Bearer"])
def test_who_logs_in_gets_it_and_nobody_else_though_it_is_here(
    registry: Registry, finder: Finder, guard: str
) -> None:
    registry.guard = guard
    name = registry.push("private/model", "1", images.content(text=registry.name))
    for login in (None, WRONG):
        with pytest.raises(ImageUnknown, match="unauthorized"):
            finder.find(name, login=login)
    found = finder.find(name, login=RIGHT)
    for login in (None, WRONG):
        with pytest.raises(ImageUnknown, match="unauthorized"):
            finder.find(name, login=login)
    assert finder.find(name, login=RIGHT) == found


def test_a_placement_that_was_made_from_it_needs_no_log_in_again(
    registry: Registry, finder: Finder
) -> None:
    registry.guard = "Basic"
    name = registry.push("private/model", "1", images.content(text=registry.name))
    found = finder.find(name, login=RIGHT)
    asked = len(registry.asked)
    assert finder.find(name, placement_id=finder.placements[0]) == found
    assert len(registry.asked) == asked


def test_a_registry_that_repeats_the_log_in_is_not_quoted(
    registry: Registry, finder: Finder, caplog: pytest.LogCaptureFixture
) -> None:
    registry.guard = "Basic"
    caplog.set_level(logging.DEBUG, logger="miner_agent")
    with pytest.raises(ImageUnknown) as refused:
        finder.find(f"{registry.name}/echo/model:1", login=WRONG)
    told = caplog.text + "".join(Fields().format(record) for record in caplog.records)
    error: BaseException | None = refused.value
    while error is not None:
        told += str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "image not fetched" in told
    assert WRONG.password not in told


def test_docker_keeps_no_log_in(
    registry: Registry, finder: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry.guard = "Basic"
    (tmp_path / "config.json").write_text("{}")
    name = registry.push("private/model", "1", images.content(text=registry.name))
    finder.find(name, login=RIGHT)
    assert json.loads((tmp_path / "config.json").read_text()) == {}
    assert [path.name for path in tmp_path.iterdir() if LOGIN[1].encode() in read(path)] == []
    assert Engine().api._auth_configs.get_all_credentials() == {}


def test_a_log_in_is_shown_by_no_repr() -> None:
    assert WRONG.password not in repr(WRONG)
    assert WRONG.password not in repr(DesiredPlacement.model_construct(registry_login=WRONG))


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
