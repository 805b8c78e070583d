"""This will list your volumes and delete one."""

from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson
from berth.client import Client
from berth.problem import Refused
from berth.shapes import Volume
from berth.units import format_size

app = typer.Typer(help="Your volumes, each on one machine.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def volumes(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List your volumes, or delete one. `berth up --volume` makes them."""
    if context.invoked_subcommand is None:
        list_volumes(as_json=as_json)


@app.command("list")
def list_volumes(*, as_json: AsJson = False) -> None:
    """List your volumes and the machines that they are on."""
    with session.client() as client:
        found = client.volumes()
    if as_json:
        output.write_json({"items": found})
        return
    output.table(
        ("VOLUME", "~NAME", ">SIZE", "STATE", "MACHINE"),
        [
            (
                output.short(one.id),
                one.name,
                format_size(one.size_bytes),
                f"{one.state}, in use" if one.in_use else one.state,
                output.short(one.machine_id),
            )
            for one in found
        ],
        empty="You have no volume. Make one: berth up --volume NAME:/PATH:SIZE",
    )


@app.command("rm")
def rm(
    *,
    volume: Annotated[str, typer.Argument(metavar="VOLUME", help="Its id, or its name.")],
    as_json: AsJson = False,
) -> None:
    """Delete a volume and everything in it, for good."""
    with session.client() as client:
        deleted = client.delete_volume(_find(client, volume).id)
    if as_json:
        output.write_json(deleted)
    else:
        output.say(f"Volume {deleted.name} is being deleted.")


def _find(client: Client, volume: str) -> Volume:
    known = client.volumes()
    found = [one for one in known if one.name == volume]
    found = found or [one for one in known if volume and one.id.startswith(volume.lower())]
    if not found:
        raise Refused("not_found", f"You have no volume {volume!r}. See: berth volumes")
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} volumes are called {volume!r}; give the id.")
    return found[0]
