"""This will tell staff what was wrong with a rental, and show what they answered."""

from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId, usd
from berth.reports import Report
from berth.units import format_usd

SHOWN_MAX = 200


class What(StrEnum):
    """What was wrong."""

    HARDWARE = "hardware"
    UNREACHABLE = "unreachable"
    LOST_DATA = "lost_data"
    CHARGE = "charge"
    OTHER = "other"


Ask = Annotated[
    int | None,
    typer.Option("--ask", parser=usd, metavar="USD", help="Ask for so much back: 1.20."),
]


def report(
    *,
    rental_id: RentalId,
    what: Annotated[What | None, typer.Option("--what", help="What was wrong.")] = None,
    text: Annotated[
        str, typer.Option("--text", metavar="TEXT", help="What happened, and when.")
    ] = "",
    ask: Ask = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report to staff what was wrong with a rental, or show your report and its answer.

    Up to 30 days after its end. Staff give money back or not; you are told, with a reason.
    """
    if (what is None) != (not text.strip()):
        raise typer.BadParameter("Say both --what and --text, or neither to see your report.")
    if ask is not None and what is None:
        raise typer.BadParameter("Say --what and --text too.")
    with session.client() as client:
        rental = session.find(client, rental_id)
        if withdraw:
            client.reports.withdraw(rental.id)
        elif what is not None:
            client.reports.make(rental.id, what=what.value, text=text, asked_microusd=ask)
        found = client.reports.newest(rental.id)
    if as_json:
        output.write_json(found)
        return
    output.say(f"Report about rental {found.rental_id}: {_outcome(found)}")
    if found.answer:
        output.say(f"Staff: {found.answer}")


def reports(*, as_json: AsJson = False) -> None:
    """List your reports about rentals, newest first."""
    with session.client() as client:
        found = tuple(islice(client.reports.list(), SHOWN_MAX))
    if as_json:
        output.write_json(found)
        return
    rows = [
        (one.rental_id[:8], one.what, _outcome(one), one.answer or "", f"{one.made_at:%Y-%m-%d}")
        for one in found
    ]
    columns = ("RENTAL", "WHAT", "STATE", "ANSWER", "MADE")
    output.table(columns, rows, empty="You reported nothing.")


def _outcome(found: Report) -> str:
    if found.credited_microusd:
        return f"credited, {format_usd(found.credited_microusd)} came back"
    return {"open": "waits for staff", "refused": "nothing comes back"}.get(
        found.state, found.state
    )
