"""The tree keeps its shape: folders, sizes, names, docstrings, and no address of one machine."""

import ast
import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.sources import FOREIGN, PROGRAMS, python_files, text_of, tracked

TOP_LEVEL = {
    ".ci", ".github", ".gitignore", ".pre-commit-config.yaml", ".dockerignore", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks", "berth", "docker",
    "docker-compose.yml", "docs", "manage.py", "marketplace", "miner_agent", "protocol",
    "prover", "pyproject.toml", "requirements", "scripts", "static", "templates", "tests",
    "validator",
}  # fmt: skip
LINES_MAX = 400
BANNED = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "service"}
CODE = (".py", ".html", ".css", ".js", ".sh")
#: an address that only one person's network knows, or a package index
ADDRESSES = re.compile(
    r"(?<![\w.])/(?:work|home/\w+|Users/\w+)/[\w.]|--(?:extra-)?index-url[ =]"
    r"|https?://(?:deb|files|index|registry)\.[\w.-]+|https?://[\w.-]+/simple\b",
)
#: the name of this very rule
SPEAKS_OF_ADDRESSES = "tests/architecture/test_tree.py"


def too_long(path: str, text: str) -> bool:
    """Say whether a file should be two."""
    return len(text.splitlines()) > LINES_MAX


def is_banned(path: str) -> bool:
    """Say whether a file or one of its folders has a name that says nothing."""
    parts = PurePosixPath(path).parts
    return bool({PurePosixPath(part).stem.lstrip("_") for part in parts} & BANNED)


def lacks_docstring(text: str) -> bool:
    """Say whether a module with content does not say what it is for."""
    module = ast.parse(text)
    return bool(module.body) and ast.get_docstring(module) is None


def test_only_known_folders_are_at_the_top() -> None:
    assert {path.split("/")[0] for path in tracked()} <= TOP_LEVEL


def test_every_program_of_the_design_is_there() -> None:
    folders = {path.split("/")[0] for path in tracked()}

    assert {"marketplace", "validator", "miner_agent", "protocol", "prover", "berth"} <= folders


def test_no_file_is_longer_than_400_lines() -> None:
    code = [path for path in tracked() if path.endswith(CODE) and not path.startswith(FOREIGN)]

    assert [path for path in code if too_long(path, text_of(path))] == []


def test_no_name_says_nothing() -> None:
    assert [path for path in python_files(*PROGRAMS, "tests") if is_banned(path)] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path in python_files(*PROGRAMS) if lacks_docstring(text_of(path))] == []


def test_no_file_names_a_package_index_or_a_folder_of_one_machine() -> None:
    found = [path for path in tracked() if ADDRESSES.search(text_of(path))]

    assert [path for path in found if path != SPEAKS_OF_ADDRESSES] == []


@pytest.mark.parametrize(
    "text",
    ["/home/alice/berth", "https://registry.example.com/x", "https://example.org/simple"],
)
def test_the_search_for_addresses_finds_a_planted_one(text: str) -> None:
    assert ADDRESSES.search(text)


@pytest.mark.parametrize("text", ["the work/tree", "/var/lib/berth-agent", "https://example.com"])
def test_the_search_for_addresses_lets_others_be(text: str) -> None:
    assert not ADDRESSES.search(text)


def test_a_planted_long_file_badly_named_file_and_bare_module_are_found() -> None:
    assert too_long("a.py", "x\n" * (LINES_MAX + 1))
    assert is_banned("marketplace/offers/helpers.py")
    assert is_banned("marketplace/common/offer.py")
    assert lacks_docstring("x = 1\n")
