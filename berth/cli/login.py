"""This will log in: get an API key for this computer and keep it."""

import os
import platform
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer

from berth import config
from berth.cli import output, session
from berth.cli.options import AsJson, duration, usd
from berth.client import Client
from berth.problem import CannotReach, Refused

SECRET_CHARACTERS_MAX = 4096
#: of a key, by which it is listed
KEY_SHOWN = 10
#: what goes before what is kept
OVERRIDES = frozenset({"BERTH_API_KEY", "BERTH_URL"})


def login(
    *,
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Asked for when left out.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
    code: Annotated[
        str | None,
        typer.Option(
            metavar="DIGITS", help="Of your authenticator app; asked for where it is needed."
        ),
    ] = None,
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Keep a key made on the web page instead.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The marketplace, https://...")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call this computer's key.")
    ] = None,
    spend_limit: Annotated[
        int | None,
        typer.Option(parser=usd, metavar="USD", help="The most that the key may ever set aside."),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE", help="What the key may do, such as rentals:write; may be given again."
        ),
    ] = None,
    lasts: Annotated[
        int | None,
        typer.Option(parser=duration, metavar="DURATION", help="The key ends after: 12h, 30d."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Log in and keep an API key in a file that only you can read."""
    if password_stdin and api_key_stdin:
        raise typer.BadParameter("Give the password or the key on stdin, not both.")
    if api_key_stdin and (spend_limit is not None or scope or lasts):
        raise typer.BadParameter("A key that is made already stays as it was made.")
    loaded = session.load()
    loaded = replace(loaded, url=config.checked_url(url or loaded.url))
    if loaded.key_travels_in_clear:
        output.note(f"Warning: {loaded.url} is not encrypted; others may read your password.")
    if api_key_stdin:
        key = _secret_from_stdin()
    else:
        email = email or typer.prompt("E-mail", err=True)
        password = (
            _secret_from_stdin()
            if password_stdin
            else typer.prompt("Password", hide_input=True, err=True)
        )
        with Client(loaded.url, clock=session.CLOCK) as client:
            log_in = partial(
                client.log_in,
                email=email,
                password=password,
                name=(name or f"berth on {platform.node() or 'a computer'}")[:80],
                spend_limit_microusd=spend_limit,
                scopes=scope or (),
                expires_at=datetime.now(UTC) + timedelta(seconds=lasts) if lasts else None,
            )
            try:
                key = log_in(code=code or "")
            except Refused as refused:
                if refused.code != "code_required" or code or password_stdin:
                    raise
                key = log_in(code=typer.prompt("Code of your authenticator app", err=True))
    if not key or not key.isascii() or not key.isprintable():
        raise CannotReach("The marketplace answered with no API key.", "unexpected_answer")
    with Client(loaded.url, key, clock=session.CLOCK) as client:
        me = client.me()
    former = config.load({name: one for name, one in os.environ.items() if name not in OVERRIDES})
    config.save(replace(loaded, key=key))
    # It may be in use elsewhere, so nobody but its owner ends it.
    replaced = former.key[:KEY_SHOWN] if former.key not in ("", key) else ""
    if as_json:
        told = {"email": me.email, "url": loaded.url, "config": str(loaded.path)}
        output.write_json({**told, "replaced_key": replaced or None})
        return
    output.say(f"Logged in at {loaded.url} as {me.email}.")
    if replaced:
        where = "" if former.url == loaded.url else f", logged in at {former.url}"
        output.note(
            f"The key that was kept here before, {replaced}..., still works."
            f" To end it: berth api-keys rm {replaced}{where}"
        )


def _secret_from_stdin() -> str:
    secret = sys.stdin.read(SECRET_CHARACTERS_MAX + 1).rstrip("\r\n")
    if not secret or len(secret) > SECRET_CHARACTERS_MAX or not secret.isprintable():
        raise Refused("invalid", "stdin held no usable password or key (one line, not empty).")
    return secret
