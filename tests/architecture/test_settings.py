"""Every environment variable has a reader in the code and a line in docs/settings.md."""

import re

import pytest

from tests.architecture.sources import PROGRAMS, TREE, python_files, text_of

VARIABLE = re.compile(r"\bBERTH_[A-Z0-9_]*[A-Z0-9]\b")
READERS = ("berth", "marketplace", "miner_agent", "scripts", "validator")


def read_in_code() -> set[str]:
    """Return every variable that a program names."""
    return {name for path in python_files(*READERS) for name in VARIABLE.findall(text_of(path))}


def documented() -> set[str]:
    """Return every variable that has a row of its own in docs/settings.md."""
    rows = (TREE / "docs" / "settings.md").read_text().splitlines()
    return {name for row in rows if row.startswith("| `") for name in VARIABLE.findall(row[:60])}


def test_every_variable_that_is_read_is_documented() -> None:
    assert read_in_code() - documented() == set()


def test_every_documented_variable_is_read() -> None:
    assert documented() - read_in_code() == set()


@pytest.mark.parametrize("text", ['env.text("BERTH_PLANTED")', "BERTH_PLANTED=1 make demo"])
def test_a_planted_variable_is_seen(text: str) -> None:
    assert VARIABLE.findall(text) == ["BERTH_PLANTED"]


def test_every_program_is_searched() -> None:
    assert set(READERS) | {"protocol", "prover"} == set(PROGRAMS)
