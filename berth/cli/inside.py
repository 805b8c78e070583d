"""This will run commands in a rental and copy files, with the system's own ssh and scp."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.cli.ssh import Identity, Login
from berth.cli.ssh import command as ssh_argv
from berth.client import Client
from berth.problem import Refused
from berth.shapes import Rental, SshDoor
from berth.ssh import Side, between_command, program, scp_command

#: ``RENTAL:PATH``; what has a slash before the first colon is a file here
REMOTE = re.compile(rf"^(?P<rental>[^/:]{{1,{session.NAME_LENGTH_MAX}}}):(?P<path>.*)$", re.DOTALL)
Words = Annotated[
    list[str], typer.Argument(metavar="-- COMMAND", help="The command, each word kept whole.")
]
Place = Annotated[
    str, typer.Argument(metavar="[RENTAL:]PATH", help="Of a rental, or without RENTAL: of here.")
]


def execute(
    *,
    rental_id: RentalId,
    words: Words,
    tty: Annotated[bool, typer.Option("--tty", "-t", help="Give it a terminal.")] = False,
    identity: Identity = None,
    login: Login = None,
    as_json: AsJson = False,
) -> None:
    """Run a command in a rental and end with its exit code. With --json, only write the ssh."""
    with session.client() as client:
        rental = session.find(client, rental_id)
    # Several words are each kept whole; of one alone a shell there would make several.
    line = [shlex.join(words)]
    argv = ssh_argv(rental.id, _door(rental, login), identity, line)
    _run([argv[0], "-t" if tty else "-T", *argv[1:]], as_json=as_json)


def copy(
    *,
    source: Place,
    target: Place,
    identity: Identity = None,
    login: Login = None,
    as_json: AsJson = False,
) -> None:
    """Copy to, from or between rentals. With --json, write the scp and do not run it."""
    leaving, entering = REMOTE.fullmatch(source), REMOTE.fullmatch(target)
    found = [one for one in (leaving, entering) if one is not None]
    if not found:
        raise typer.BadParameter("One is in a rental, as in: berth cp model.pt 3f2a9c10:/data/")
    with session.client() as client:
        sides = [_side(client, one, identity, login) for one in found]
    doors, (side, *others) = session.doors(), sides
    if others and others[0].rental_id == side.rental_id:
        raise Refused("same_rental", "Both are in one rental; copy there with: berth exec")
    argv = (
        between_command(doors.between(side, others[0]), side, others[0])
        if others
        else scp_command(
            rental_id=side.rental_id,
            door=side.door,
            known_hosts=side.known_hosts,
            identity=side.identity,
            path=side.path,
            here=target if leaving else source,
            fetches=leaving is not None,
        )
    )
    _run(argv, as_json=as_json)


def _side(client: Client, found: re.Match[str], identity: Path | None, login: str | None) -> Side:
    rental, doors = session.find(client, found["rental"]), session.doors()
    door = _door(rental, login)
    return Side(
        rental_id=rental.id,
        door=door,
        known_hosts=doors.pin(rental.id, door).absolute(),
        identity=identity.expanduser().absolute() if identity else doors.identity(rental.id),
        path=found["path"],
    )


def _door(rental: Rental, login: str | None) -> SshDoor:
    if rental.ssh is None:
        raise Refused("not_ready", f"Rental {rental.id} is {rental.state}.")
    return rental.ssh.model_copy(update={"user": login or rental.ssh.user})


def _run(argv: list[str], *, as_json: bool) -> None:
    if as_json:
        output.write_json({"argv": argv})
        return
    found = program(argv[0], os.environ.get("PATH"))
    sys.stdout.flush()
    os.execv(found, argv)  # noqa: S606 - the argv is ours, and there is no shell
