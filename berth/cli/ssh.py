"""This will log in to a rental with the system's own OpenSSH."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from berth.cli import output, progress, session
from berth.cli.options import TIMEOUT_S, AsJson, RentalId, Timeout, Wait
from berth.problem import Refused
from berth.shapes import SshDoor
from berth.ssh import Forward, fingerprint, ssh_command, ssh_program

Remote = Annotated[
    list[str] | None, typer.Argument(metavar="[-- COMMAND]", help="Run this instead of a shell.")
]
Identity = Annotated[
    Path | None,
    typer.Option(
        "--identity", "-i", metavar="FILE", help="The private key; default: that of up --key"
    ),
]
Login = Annotated[
    str | None,
    typer.Option("--login", "-l", metavar="NAME", help="Another name of the image; default: root"),
]


def _forward(value: str | Forward) -> Forward:
    try:
        return Forward.parse(value) if isinstance(value, str) else value
    except Refused as refused:
        raise typer.BadParameter(refused.sentence) from refused


Forwards = Annotated[
    list[Forward] | None,
    typer.Option(
        "--forward",
        "-L",
        parser=_forward,
        metavar="[HERE:]PORT",
        help="A port in the rental, here: 8888, or 9000:8888. May be given again.",
    ),
]
NoShell = Annotated[
    bool, typer.Option("--no-shell", "-N", help="Only forward, until it is stopped.")
]


def ssh(
    *,
    rental_id: RentalId,
    remote: Remote = None,
    identity: Identity = None,
    login: Login = None,
    forwards: Forwards = None,
    no_shell: NoShell = False,
    show_only: Annotated[
        bool, typer.Option("--print", help="Write the command and the host key; run nothing.")
    ] = False,
    wait_active: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Log in to a rental, its host key pinned. With --json, write the command and do not run it."""
    if no_shell and (remote or not forwards):
        raise typer.BadParameter("--no-shell goes with --forward, and without a command.")
    ports = forwards or []
    with session.client() as client:
        rental = session.find(client, rental_id)
        if wait_active:
            rental = progress.follow(
                client,
                rental,
                until=lambda seen: seen.ssh is not None,
                timeout_s=timeout_s,
                as_json=as_json,
            )
    if rental.ssh is None:
        again = "" if rental.over else " Try again soon, or say --wait."
        raise Refused("not_ready", f"Rental {rental.id} is {rental.state}.{again}")
    door = rental.ssh.model_copy(update={"user": login or rental.ssh.user})
    argv = command(rental.id, door, identity, remote or [], ports, has_shell=not no_shell)
    if as_json:
        key, shown = door.host_key, fingerprint(door)
        output.write_json({"argv": argv, "known_hosts": key, "fingerprint": shown})
    elif show_only:
        output.say(shlex.join(argv))
        output.note(
            f"Host key, the only one that it accepts: {door.host_key} ({fingerprint(door)})"
        )
    else:
        for one in ports:
            output.note(f"Port {one.here} of 127.0.0.1 leads to port {one.there} in the rental.")
        program = ssh_program(os.environ.get("PATH"))
        sys.stdout.flush()
        os.execv(program, argv)  # noqa: S606 - the argv is ours, and there is no shell


def command(
    rental_id: str,
    door: SshDoor,
    identity: Path | None,
    remote: list[str],
    forwards: Sequence[Forward] = (),
    *,
    has_shell: bool = True,
) -> list[str]:
    """Return the argv of ssh into this rental, its host key pinned."""
    doors = session.doors()
    return ssh_command(
        rental_id=rental_id,
        door=door,
        known_hosts=doors.pin(rental_id, door).absolute(),
        identity=identity.expanduser().absolute() if identity else doors.identity(rental_id),
        remote=remote,
        forwards=forwards,
        has_shell=has_shell,
    )
