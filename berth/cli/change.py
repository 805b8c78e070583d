"""This will stop, start, restart, reset and change a rental without ending it."""

from typing import Annotated

import typer

from berth.cli import progress, session, workload
from berth.cli.options import TIMEOUT_S, AsJson, IdleBelow, RentalId, Timeout, Wait, duration
from berth.shapes import ChangeRequest, Rental

Image = Annotated[
    str | None, typer.Option(metavar="IMAGE", help="Another image; its files are fresh.")
]


def stop(
    *,
    rental_id: RentalId,
    wait_stopped: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Stop a rental and keep its files until its lease ends. Billing stops with this request."""
    with session.client() as client:
        rental = client.stop(session.find(client, rental_id).id)
        if wait_stopped:
            rental = progress.follow(
                client,
                rental,
                until=lambda seen: seen.state == "stopped",
                timeout_s=timeout_s,
                as_json=as_json,
            )
    progress.show(rental, as_json=as_json)


def start(
    *,
    rental_id: RentalId,
    wait_active: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Start a stopped rental again, on free GPUs of its machine. Its lease is the one it had."""
    with session.client() as client:
        rental = client.start(session.find(client, rental_id).id)
        if wait_active:
            rental = progress.follow(
                client, rental, until=_is_open, timeout_s=timeout_s, as_json=as_json
            )
    progress.show(rental, as_json=as_json)


def restart(*, rental_id: RentalId, as_json: AsJson = False) -> None:
    """Start a running rental's container anew. Its files stay."""
    with session.client() as client:
        rental = client.restart(session.find(client, rental_id).id)
    progress.show(rental, as_json=as_json)


def reset(*, rental_id: RentalId, as_json: AsJson = False) -> None:
    """Throw a running rental's files away, but for its volumes, and begin with its image again."""
    with session.client() as client:
        rental = client.reset(session.find(client, rental_id).id)
    progress.show(rental, as_json=as_json)


def change(
    *,
    rental_id: RentalId,
    image: Image = None,
    environment: workload.Environment = None,
    ports: workload.Ports = None,
    command: workload.Command = None,
    on_start: workload.OnStart = None,
    runtime: workload.Runtime = None,
    registry_user: workload.RegistryUser = None,
    wait_done: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Change what a running rental runs. What is left out stays; what is named replaces it all.

    What ran before goes on until the new container does, and after it where that never does.
    """
    request = ChangeRequest(
        image=image,
        environment=None if environment is None else workload.variables(environment),
        ports=None if ports is None else tuple(ports),
        command=workload.command(command, on_start),
        runtime=runtime,
        registry_login=workload.registry_login(registry_user),
    )
    if not request.model_dump(exclude_none=True):
        named = "--image, --env, --port, --command, --on-start or --runtime"
        raise typer.BadParameter(f"Say what: {named}.")
    with session.client() as client:
        rental = client.change(session.find(client, rental_id).id, request)
        if wait_done:
            rental = progress.follow(
                client,
                rental,
                until=lambda seen: not seen.change.pending,
                timeout_s=timeout_s,
                as_json=as_json,
            )
    progress.show(rental, as_json=as_json)


def idle(
    *,
    rental_id: RentalId,
    after: Annotated[
        int | None,
        typer.Argument(parser=duration, metavar="[DURATION]", help="Idle so long, such as 30m."),
    ] = None,
    below: IdleBelow = None,
    off: Annotated[bool, typer.Option("--off", help="Let it run, idle or not.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a rental by itself, its files kept, once it was idle for so long, or no more."""
    if (after is None) == (not off):
        raise typer.BadParameter("Say after how long, such as 30m, or --off.")
    with session.client() as client:
        found = session.find(client, rental_id)
        if after is None:
            client.remove_idle_rule(found.id)
        else:
            client.set_idle_rule(found.id, after_s=after, below_percent=below)
        rental = client.rental(found.id)
    progress.show(rental, as_json=as_json)


def _is_open(rental: Rental) -> bool:
    return rental.state == "active" and rental.ssh is not None
