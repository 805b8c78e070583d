"""This will show what happened to a rental."""

from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId

Limit = Annotated[int, typer.Option(min=1, max=10_000, metavar="NUMBER", help="Events at most.")]


def events(*, rental_id: RentalId, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show what happened to a rental, newest first: its states, its SSH, and what went wrong."""
    with session.client() as client:
        found = client.events(session.find(client, rental_id).id, limit=limit)
    if as_json:
        output.write_json({"items": found})
        return
    rows = [(output.moment(one.at), one.sentence, one.reason or one.code) for one in found]
    output.table(("AT (UTC)", "WHAT", "~WHY"), rows, empty="Nothing happened yet.")
