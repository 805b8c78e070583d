"""The pinned packages are complete on every Python that Berth runs on, not only where pinned."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import TREE

#: the first 3.11, Debian 12's own, and later ones
PYTHONS = ("3.11.0", "3.11.2", "3.12.0", "3.13.0")
PROGRAMS = ("marketplace", "validator", "agent", "client")
NAMES = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
RELEASES = re.compile(r"^[A-Za-z0-9._-]+==\S+", re.MULTILINE)


def pinned(file: str) -> set[str]:
    """Return the names in one requirements file."""
    text = (TREE / "requirements" / file).read_text()
    return {canonicalize_name(name) for name in NAMES.findall(text)}


def of_berth(extra: str) -> list[str]:
    """Return what this tree asks for under ``extra``, or always."""
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    found: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return found


def wanted(name: str, extra: str, python: str) -> Iterator[Requirement]:
    """Yield what an installed package asks for under ``extra`` on Linux with that Python."""
    environment = {
        "extra": extra,
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
    }
    for text in requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None and extra:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


def closure(extras: tuple[str, ...], names: set[str], python: str) -> set[str]:
    """Return everything that Berth with ``extras`` leads to, through the packages in ``names``."""
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for extra in ("", *extras) for text in of_berth(extra)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            if name in names:
                waiting += wanted(name, extra, python)
    return {name for name, _ in seen}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("file", "extras"),
    [("runtime.txt", PROGRAMS), ("agent.txt", ("agent",)), ("dev.txt", (*PROGRAMS, "dev"))],
)
def test_every_needed_package_is_pinned(file: str, extras: tuple[str, ...], python: str) -> None:
    names = pinned(file)

    assert closure(extras, names, python) - names == set()


def test_a_host_gets_the_releases_that_everything_is_tested_with() -> None:
    texts = ((TREE / "requirements" / name).read_text() for name in ("agent.txt", "runtime.txt"))
    agent, runtime = (set(RELEASES.findall(text)) for text in texts)

    assert agent
    assert agent - runtime == set()


def test_a_package_that_only_an_older_python_needs_is_seen() -> None:
    older = {requirement.name for requirement in wanted("redis", "", "3.11.2")}
    newer = {requirement.name for requirement in wanted("redis", "", "3.11.3")}

    assert older - newer == {"async-timeout"}
