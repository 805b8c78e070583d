"""This will list the teams that somebody can act for."""

from berth.cli import output, session
from berth.cli.options import AsJson


def teams(*, as_json: AsJson = False) -> None:
    """List your teams; act for one with: berth --team NAME ..."""
    with session.client(for_self=True) as client:
        found = client.teams.all()
    if as_json:
        output.write_json({"items": found})
        return
    rows = [(str(one.id), one.name, one.role) for one in found]
    empty = "You are in no team. Make one on the site: Account, Teams."
    output.table(("TEAM", "~NAME", "ROLE"), rows, empty=empty)
