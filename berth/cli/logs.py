"""This will show what a rental's container said."""

import json
import sys
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.logs import TAIL, Log, LogLine
from berth.problem import Refused
from protocol.container_log import LINES_MOST, plain

Tail = Annotated[
    int,
    typer.Option(
        "--tail", min=1, max=LINES_MOST, metavar="NUMBER", help="So many of the newest lines."
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes after them.")]
Times = Annotated[bool, typer.Option("--times", "-t", help="Write each line's time, in UTC.")]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="Write lines as they were said, colours and all; not to a terminal."
    ),
]


def logs(
    *,
    rental_id: RentalId,
    tail: Tail = TAIL,
    follow: Follow = False,
    times: Times = False,
    raw: Raw = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest lines that a rental's container said: its command, and the start of it.

    With --json, one document; with --follow too, a line of JSON for each line.
    """
    if raw and sys.stdout.isatty():
        sentence = "What a rental says may steer a terminal: send it to a file, or leave --raw out."
        raise Refused("raw_to_terminal", sentence)
    with session.client() as client:
        rental = session.find(client, rental_id).id
        if not follow:
            found = client.logs.read(rental, tail=tail)
            if as_json:
                output.write_json(found)
            else:
                _write(found, times=times, raw=raw)
                _say(found)
            return
        sentence = ""
        for found in client.logs.follow(rental, tail=tail):
            if as_json:
                for line in found.lines:
                    sys.stdout.write(json.dumps(line.model_dump()) + "\n")
            else:
                _write(found, times=times, raw=raw)
            sys.stdout.flush()
            # Said once: it is asked every few seconds.
            if found.sentence != sentence:
                _say(found)
            sentence = found.sentence or ""


def _write(found: Log, *, times: bool, raw: bool) -> None:
    if found.is_cut and found.lines:
        output.note("There is more before this.")
    for line in found.lines:
        sys.stdout.write(
            f"{_time(line) if times else ''}{line.text if raw else plain(line.text)}\n"
        )


def _time(line: LogLine) -> str:
    return f"{output.plain(line.at)} "


def _say(found: Log) -> None:
    """Say beside the lines what there is to say."""
    if found.sentence:
        output.note(found.sentence)
