"""This will read what shall run from the command line: ports, volumes, variables, a log-in."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from berth.cli.options import size
from berth.shapes import RegistryLogin, VolumeRequest
from protocol.workload import COMMAND_WORD_MOST, SHELL

#: where a registry's password is read from instead of a question, for scripts
PASSWORD_VARIABLE = "BERTH_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable

Environment = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="NAME=VALUE", help="Repeat for more.")
]
Ports = Annotated[
    list[int] | None,
    typer.Option(
        "--port",
        "-p",
        min=1,
        max=65535,
        metavar="PORT",
        help="A TCP port to publish; repeat for more.",
    ),
]
Volumes = Annotated[
    list[str] | None,
    typer.Option(
        "--volume",
        "-v",
        metavar="NAME:/PATH[:SIZE]",
        help="A volume of yours on that machine; with a size, a new one. Repeat for more.",
    ),
]
Command = Annotated[
    str | None, typer.Option("--command", metavar="LINE", help="Instead of the image's own.")
]
OnStart = Annotated[
    Path | None,
    typer.Option(
        "--on-start",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A script that /bin/sh runs as it starts, in place of the command.",
    ),
]
RegistryUser = Annotated[
    str | None,
    typer.Option(
        "--registry-user",
        metavar="NAME",
        help=f"For a private image; the password is asked for, or {PASSWORD_VARIABLE} has it.",
    ),
]
Runtime = Annotated[
    str | None,
    typer.Option("--runtime", metavar="NAME", help="Such as runsc, where the host has it."),
]


def variables(typed: list[str]) -> dict[str, str]:
    """Return the values by name.

    :raises typer.BadParameter: when one is not NAME=VALUE.
    """
    found: dict[str, str] = {}
    for one in typed:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{one!r} is not NAME=VALUE.")
        found[name] = value
    return found


def volumes(typed: list[str]) -> tuple[VolumeRequest, ...]:
    """Return the volumes.

    :raises typer.BadParameter: when one is not NAME:/PATH or NAME:/PATH:SIZE.
    """
    return tuple(_volume(one) for one in typed)


def words(line: str) -> tuple[str, ...]:
    """Return the words of a command line, as a shell reads them.

    :raises typer.BadParameter: when a quotation mark is missing.
    """
    try:
        return tuple(shlex.split(line))
    except ValueError as error:
        raise typer.BadParameter(f"{line!r} is no command line: {error}.") from error


def command(line: str | None, script: Path | None) -> tuple[str, ...] | None:
    """Return what runs in place of the image's own command; None: nothing was said of it.

    :raises typer.BadParameter: when both are there, or the script is too long or no text.
    """
    if script is None:
        return None if line is None else words(line)
    if line is not None:
        raise typer.BadParameter("Say --command or --on-start; a script may end with the command.")
    try:
        text = script.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"Cannot read {script}: {error}.") from error
    if len(text) > COMMAND_WORD_MOST:
        raise typer.BadParameter(f"{script} is longer than {COMMAND_WORD_MOST} characters.")
    return (*SHELL, text)


def registry_login(username: str | None) -> RegistryLogin | None:
    """Return who may fetch the image; the password never stands on the command line."""
    if username is None:
        return None
    password = os.environ.get(PASSWORD_VARIABLE) or typer.prompt(
        "Registry password", hide_input=True, err=True
    )
    return RegistryLogin(username=username, password=password)


def _volume(typed: str) -> VolumeRequest:
    name, _, rest = typed.partition(":")
    path, colon, amount = rest.partition(":")
    if not name or not path.startswith("/") or (colon and not amount):
        raise typer.BadParameter(f"{typed!r} is not NAME:/PATH or NAME:/PATH:SIZE.")
    return VolumeRequest(name=name, path=path, size_bytes=size(amount) if amount else None)
