"""This will list and revoke API keys, and log out: revoke this computer's own and forget it."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from berth import config
from berth.api_keys import ApiKey
from berth.cli import output, session
from berth.cli.options import AsJson
from berth.client import Client
from berth.problem import Refused
from berth.units import format_usd

#: the variable that holds a key
KEY = "BERTH_API_KEY"
#: the status that answers a key that opens nothing
UNKNOWN = 401

app = typer.Typer(help="API keys: list and revoke them.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def api_keys(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the API keys that may do no more than this one, or revoke one."""
    if context.invoked_subcommand is None:
        list_keys(as_json=as_json)


@app.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List the API keys that may do no more than this one."""
    with session.client() as client:
        found = client.api_keys.all()
    if as_json:
        output.write_json({"items": found})
        return
    columns = ("KEY", "~NAME", "??PREFIX", "~MAY", "?>SPENT", "?USED (UTC)", "?ENDS (UTC)", "")
    output.table(columns, [_row(key) for key in found], empty="There is no API key.")


@app.command("rm")
def rm(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, name or prefix.")],
    as_json: AsJson = False,
) -> None:
    """Revoke an API key: it opens nothing from now on."""
    with session.client() as client:
        found = client.api_keys.find(key)
        client.api_keys.revoke(found.id)
    if as_json:
        output.write_json({"id": found.id, "revoked": True})
    else:
        output.say(f"Revoked {found.name} ({found.prefix}...).")


def logout(*, as_json: AsJson = False) -> None:
    """Revoke the API key that this computer keeps, and forget it."""
    saved = config.load({name: value for name, value in os.environ.items() if name != KEY})
    if os.environ.get(KEY) not in (None, "", saved.key):
        sentence = f"{KEY} names another key; unset it first. To revoke that one: berth api-keys rm"
        raise Refused("another_key", sentence)
    if not saved.key:
        raise Refused("unauthenticated", f"You are not logged in at {saved.url}.")
    was_known = True
    with Client(saved.url, saved.key, clock=session.CLOCK) as client:
        try:
            client.api_keys.revoke_own()
        except Refused as refused:
            # Revoked elsewhere, or ended by itself: nothing is left but to forget it.
            if refused.status != UNKNOWN:
                raise
            was_known = False
    config.save(replace(saved, key=""))
    if as_json:
        output.write_json({"url": saved.url, "revoked": was_known})
    elif was_known:
        output.say(f"Logged out of {saved.url}: the key is revoked and forgotten.")
    else:
        output.say(f"Logged out of {saved.url}: the key opened nothing any more.")


def _row(key: ApiKey) -> tuple[str, ...]:
    limit = key.spend_limit_microusd
    counted = format_usd(key.spend_counted_microusd or 0)
    return (
        output.short(key.id),
        key.name,
        key.prefix,
        ", ".join(key.scopes) or "everything",
        "no limit" if limit is None else f"{counted} of {format_usd(limit)}",
        output.moment(key.last_used_at) or "never",
        output.moment(key.expires_at) or "-",
        "this one" if key.current else "",
    )
