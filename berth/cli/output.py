"""This will write results: tables for people, JSON for programs."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: the width of tables where no terminal says one
WIDTH_PIPED = 200
#: of what may be cut, this much is shown before another column is left out
WIDTH_CUT = 16
#: between two columns
GAP = 2
SHORT_ID_LENGTH = 8


def write_json(content: BaseModel | Mapping[str, object] | Sequence[object]) -> None:
    """Write one JSON document to stdout, in ASCII: hosts' words must not steer a terminal."""
    sys.stdout.write(json.dumps(_jsonable(content), indent=2) + "\n")


def write_csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write lines for a spreadsheet to stdout."""
    writer = csv.writer(sys.stdout)
    writer.writerow(head)
    writer.writerows(rows)


def write_problem(code: str, sentence: str, status: int, *, as_json: bool) -> None:
    """Write why it did not work to stderr."""
    if as_json:
        problem = {"status": status, "code": code, "detail": sentence}
        sys.stderr.write(json.dumps(problem) + "\n")
    else:
        sys.stderr.write(f"berth: {plain(sentence)} [{plain(code)}]\n")


def say(line: str) -> None:
    """Write one line for a person to stdout."""
    sys.stdout.write(plain(line) + "\n")


def note(line: str) -> None:
    """Write one line about what goes on to stderr, so that stdout stays the result."""
    sys.stderr.write(plain(line) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Write a table, or ``empty`` where there are no rows.

    A column that begins with ``>`` is aligned right; one with ``~`` is cut where the terminal is
    too narrow for all. One with ``?`` is left out where it has no room, and one with more of
    them sooner.
    """
    if not rows:
        say(empty)
        return
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=WIDTH_PIPED)
    shown = that_fit(columns, rows, console.width)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in (columns[at].lstrip("?") for at in shown):
        # Rich takes width from columns that may wrap first; the cells say that they are cut.
        drawn.add_column(
            column.lstrip("~>"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=not column.startswith("~"),
            overflow="ellipsis",
        )
    for row in rows:
        cells = (plain(row[at]) for at in shown)
        drawn.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
    console.print(drawn)


def that_fit(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return which columns are shown where a terminal is so wide."""
    widths = []
    for at, name in enumerate(columns):
        head = name.lstrip("?~>")
        widest = max(len(head), *(len(row[at]) for row in rows))
        is_cut = name.lstrip("?").startswith("~")
        widths.append(max(len(head), min(widest, WIDTH_CUT)) if is_cut else widest)
    by_need = sorted(range(len(columns)), key=lambda at: (_dispensable(columns[at]), at))
    shown, left = [], width + GAP
    for at in by_need:
        if not _dispensable(columns[at]) or widths[at] + GAP <= left:
            shown.append(at)
            left -= widths[at] + GAP
    return sorted(shown)


def _dispensable(column: str) -> int:
    return len(column) - len(column.lstrip("?"))


def pairs(rows: Mapping[str, str]) -> None:
    """Write a name and a value a line."""
    width = max(len(name) for name in rows) + 2
    for name, value in rows.items():
        say(f"{name:<{width}}{value}".rstrip())


def short(identifier: str) -> str:
    """Return the beginning of an id, which commands take for the whole; JSON has it all."""
    return identifier[:SHORT_ID_LENGTH]


def moment(at: datetime | None) -> str:
    """Return the time in UTC to the second, empty where there is none."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else ""


def plain(text: str) -> str:
    """Return the text without control characters: what others wrote may not drive a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _jsonable(content: object) -> object:
    if isinstance(content, BaseModel):
        return content.model_dump(mode="json")
    if isinstance(content, Mapping):
        return {name: _jsonable(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_jsonable(item) for item in content]
    return content
