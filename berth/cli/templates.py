"""This will list templates, keep one, and delete one."""

from typing import Annotated

import typer

from berth.cli import output, session, workload
from berth.cli.options import AsJson

app = typer.Typer(help="What you run again and again, under a name.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def templates(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List templates, keep one, or delete one. `berth up --template NAME` runs it."""
    if context.invoked_subcommand is None:
        list_templates(as_json=as_json)


@app.command("list")
def list_templates(*, as_json: AsJson = False) -> None:
    """List the site's templates, your own, and public ones."""
    with session.client() as client:
        found = client.templates.all()
    if as_json:
        output.write_json({"items": found})
        return
    output.table(
        ("TEMPLATE", "~NAME", "~IMAGE", "~NEEDS", "PORTS", "WHOSE"),
        [
            (
                one.reference,
                one.name,
                one.image,
                one.needs or "-",
                ", ".join(str(port) for port in one.ports) or "-",
                f"yours, version {one.version}" if one.yours else "site" if not one.version else "",
            )
            for one in found
        ],
        empty="There is no template. Keep one: berth templates save NAME --image IMAGE",
    )


@app.command("save")
def save(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as my-env.")],
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="What to run, for example debian:12.")
    ],
    environment: workload.Environment = None,
    ports: workload.Ports = None,
    command: workload.Command = None,
    on_start: workload.OnStart = None,
    needs: Annotated[
        str, typer.Option(metavar="QUERY", help="Machines it runs on: 'num_gpus>=1 gpu_ram>=24'.")
    ] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    public: Annotated[
        bool, typer.Option("--public", help="Everybody may use it, and reads its variables.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a template; under a name that you have it becomes a newer version."""
    variables = workload.variables(environment or [])
    line = workload.command(command, on_start) or ()
    with session.client() as client:
        kept = client.templates.keep(
            name,
            image=image,
            command=line,
            environment=variables,
            ports=ports or (),
            needs=needs,
            note=note,
            public=public,
        )
    if as_json:
        output.write_json(kept)
    else:
        output.say(f"{kept.name} is kept as version {kept.version}.")


@app.command("rm")
def rm(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of yours.")],
    as_json: AsJson = False,
) -> None:
    """Delete a template of yours; what was rented by it goes on."""
    with session.client() as client:
        client.templates.delete(name)
    if as_json:
        output.write_json({"deleted": name})
    else:
        output.say(f"{name} is deleted.")
