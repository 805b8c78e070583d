"""This will list, add and remove the account's SSH keys."""

from pathlib import Path
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.client import Client
from berth.keyfile import read_key
from berth.problem import Refused
from berth.shapes import SshKey

app = typer.Typer(help="Your SSH keys.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def keys(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List your SSH keys, or add and remove one."""
    if context.invoked_subcommand is None:
        list_keys(as_json=as_json)


@app.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List your SSH keys."""
    with session.client() as client:
        found = client.ssh_keys()
    if as_json:
        output.write_json({"items": found})
        return
    output.table(
        ("KEY", "~NAME", "FINGERPRINT"),
        [(output.short(str(key.id)), key.name, key.fingerprint) for key in found],
        empty="You have no SSH key. Add one: berth keys add ~/.ssh/id_ed25519.pub",
    )


@app.command("add")
def add(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The public key, or its private.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the file's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a public key. A private key never leaves this computer."""
    key_file = read_key(file.expanduser())
    with session.client() as client:
        added = client.add_ssh_key(name=name or file.stem, public_key=key_file.public_key)
    if as_json:
        output.write_json(added)
    else:
        output.say(f"Added {added.name} ({added.fingerprint}).")


@app.command("rm")
def rm(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, name or fingerprint.")],
    as_json: AsJson = False,
) -> None:
    """Remove a key from your account. Running rentals keep theirs until: berth keys use"""
    with session.client() as client:
        found = _find(client, key)
        client.remove_ssh_key(found.id)
    if as_json:
        output.write_json({"id": found.id, "removed": True})
    else:
        output.say(f"Removed {found.name} ({found.fingerprint}).")


@app.command("use")
def use(
    *,
    rental_id: RentalId,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="Ids, names or fingerprints. Default: all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let these keys, and no others, open a rental from now on. Who is logged in stays so."""
    with session.client() as client:
        rental = session.find(client, rental_id)
        chosen = [_find(client, key).id for key in keys] if keys else None
        rental = client.set_keys(rental.id, chosen)
    if as_json:
        output.write_json(rental)
    else:
        output.say(f"{len(rental.ssh_keys)} of your keys open {output.short(rental.id)} now.")


def _find(client: Client, key: str) -> SshKey:
    known = client.ssh_keys()
    found = [one for one in known if key in (str(one.id), one.fingerprint)]
    found = found or [one for one in known if one.name == key]
    found = found or [one for one in known if key and str(one.id).startswith(key)]
    if not found:
        raise Refused("not_found", f"You have no SSH key {key!r}. See: berth keys")
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} keys are called {key!r}; give the id.")
    return found[0]
