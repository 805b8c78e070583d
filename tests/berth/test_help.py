"""Every help says in words what is typed, and is whole on a terminal of 80 columns."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from berth.cli import helping
from berth.cli.app import app
from tests.berth.terminal import Terminal

#: how Typer names types and ranges of Python where nobody gave it a word
OF_PYTHON = re.compile(r"<\w+[\w |\[\]]*>|%Y|INTEGER|FLOAT|\bx[<>]=|\bNone\b|\[\[|\{\w")
#: upper case, or what can be chosen: USD, NAME=VALUE, [RENTAL:]PATH, [-- COMMAND], whole|rolling
WORD = re.compile(r"\[?(-- )?[\[\]A-Z0-9_:=/;]+\]?(\.\.\.)?|[a-z_]+(\|[a-z_]+)+")


def commands(one: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, one
    for name, command in getattr(one, "commands", {}).items():
        yield from commands(command, *path, name)


BERTH = typer.main.get_command(app)
helping.reword(BERTH)
ALL = dict(commands(BERTH))


@pytest.mark.parametrize("path", list(ALL), ids=" ".join)
def test_every_parameter_is_explained_by_a_word_and_a_sentence(path: tuple[str, ...]) -> None:
    for one in ALL[path].params:
        assert one.help, f"{path}: {one.name} is not explained."
        if not getattr(one, "is_flag", False):
            assert WORD.fullmatch(one.metavar or ""), f"{path}: {one.name}"


def test_no_help_speaks_of_types_and_none_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    for path in ALL:
        with pytest.raises(SystemExit) as ended:
            BERTH.main([*path, "--help"])
        said = capsys.readouterr().out
        assert ended.value.code == 0, path
        assert OF_PYTHON.findall(said) == [], path
        assert "…" not in said, path
        assert max(map(len, said.splitlines())) == 80, path


def test_every_command_writes_json() -> None:
    leaves = {path: one for path, one in ALL.items() if not hasattr(one, "commands")}
    without = [
        path
        for path, one in leaves.items()
        if not any("--json" in told.opts for told in one.params)
    ]
    assert len(leaves) > 60
    assert without == []


def test_a_usage_line_reads_as_people_write_it(terminal: Terminal) -> None:
    said = terminal.berth("endpoints", "create", "--help").out
    assert "berth endpoints create [OPTIONS] NAME [-- COMMAND]" in said
    assert "[default: 1GiB]" in said
    assert "[1 to 65,535]" in said
