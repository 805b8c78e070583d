"""This will keep endpoints from a terminal: create, show and change them, and delete one."""

from typing import Annotated

import typer

from berth.cli import output, session, workload
from berth.cli.options import AsJson, Timeout, Wait, usd
from berth.cli.up import GIB, Disk, Ram
from berth.client import Client
from berth.endpoints import Endpoint, EndpointRequest
from berth.problem import Refused
from berth.units import format_usd
from protocol.hardware import Resources

app = typer.Typer(
    name="endpoints",
    help="Keep a program answering HTTP on as many machines as you want.",
    no_args_is_help=True,
)
POLL_S = 0.5
REPLICAS_MAX = 8
TIMEOUT_S = 20 * 60
EndpointId = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="Its name, its id, or how the id begins.")
]
PriceMax = Annotated[
    int, typer.Option("--price-max", parser=usd, metavar="USD", help="An hour of one replica.")
]


@app.command("create")
def create(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as chat: a-z, 0-9 and -.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND]", help="What runs, instead of the image's own."),
    ] = None,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="What to run, with all that it needs inside.")
    ],
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Where it answers HTTP.")
    ],
    price_max: PriceMax,
    replicas: Annotated[
        int, typer.Option(min=1, max=REPLICAS_MAX, metavar="NUMBER", help="How many.")
    ] = 1,
    cpus: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="CPUs of one replica.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="GPUs of one replica.")] = 0,
    gpu_model: Annotated[str, typer.Option(metavar="MODEL", help="This GPU only.")] = "",
    ram: Ram = GIB,
    disk: Disk = 2 * GIB,
    environment: workload.Environment = None,
    registry_user: workload.RegistryUser = None,
    wait_ready: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Create an endpoint; its key is shown this once."""
    request = EndpointRequest(
        name=name,
        image=image,
        command=tuple(command or ()),
        environment=workload.variables(environment or []),
        http_port=port,
        resources=Resources.of(cpus=cpus, gpus=gpus, ram_bytes=ram, disk_bytes=disk),
        gpu_model=gpu_model,
        replicas=replicas,
        price_hour_microusd_max=price_max,
        registry_login=workload.registry_login(registry_user),
    )
    with session.client() as client:
        made = client.endpoints.create(request)
        if wait_ready:
            # With --json too: the wait may end before there is a result to write.
            output.note(f"Its key, shown this once: {made.key}")
            seen = _follow(client, made, timeout_s=timeout_s, silent=as_json)
            made = seen.model_copy(update={"key": made.key})
    _show(made, as_json=as_json)


@app.command("ls")
def ls(*, as_json: AsJson = False) -> None:
    """List your endpoints, newest first."""
    with session.client() as client:
        found = client.endpoints.all()
    if as_json:
        output.write_json({"items": list(found)})
        return
    output.table(
        ("ENDPOINT", "NAME", "STATE", ">READY", "~IMAGE", ">PER HOUR", ">COST", "~URL"),
        [
            (
                output.short(one.id),
                one.name,
                one.state,
                f"{one.replicas_ready}/{one.replicas_wanted}",
                one.image,
                format_usd(one.price_hour_microusd),
                format_usd(one.cost_microusd),
                one.url,
            )
            for one in found
        ],
        empty="You have no endpoints.",
    )


@app.command("show")
def show(*, endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Show an endpoint and its replicas."""
    with session.client() as client:
        found = session.find_endpoint(client, endpoint_id)
    _show(found, as_json=as_json)


@app.command("scale")
def scale(
    *,
    endpoint_id: EndpointId,
    replicas: Annotated[
        int | None,
        typer.Argument(min=0, max=REPLICAS_MAX, metavar="[NUMBER]", help="How many; 0 stops it."),
    ] = None,
    price_max: Annotated[
        int | None,
        typer.Option("--price-max", parser=usd, metavar="USD", help="An hour of a new replica."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have more or fewer replicas, or none, or pay more or less for new ones."""
    if replicas is None and price_max is None:
        raise typer.BadParameter("Say how many REPLICAS, or --price-max, or both.")
    with session.client() as client:
        found = session.find_endpoint(client, endpoint_id)
        changed = client.endpoints.scale(
            found.id, replicas=replicas, price_hour_microusd_max=price_max
        )
    _show(changed, as_json=as_json)


@app.command("key")
def key(*, endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Make another key, shown this once; the former one opens nothing any more."""
    with session.client() as client:
        renewed = client.endpoints.renew_key(session.find_endpoint(client, endpoint_id).id)
    _show(renewed, as_json=as_json)


@app.command("dismiss")
def dismiss(
    *,
    endpoint_id: EndpointId,
    replica_id: Annotated[
        str, typer.Argument(metavar="REPLICA", help="Its id, or how the id begins.")
    ],
    as_json: AsJson = False,
) -> None:
    """End a replica and keep its endpoint off its machine from now on; another one begins."""
    with session.client() as client:
        found = session.find_endpoint(client, endpoint_id)
        placement_id = session.only(
            replica_id,
            kind="replica",
            see=f"berth endpoints show {found.name}",
            ids=lambda: [one.placement_id for one in found.replicas],
            find=str,
        )
        client.endpoints.dismiss(found.id, placement_id)
    if as_json:
        output.write_json({"id": placement_id})
    else:
        output.say("The replica ends, and none of this endpoint begins on its machine any more.")


@app.command("rm")
def rm(*, endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Delete an endpoint and end its replicas: nothing after this is charged."""
    with session.client() as client:
        found = session.find_endpoint(client, endpoint_id)
        client.endpoints.delete(found.id)
    if as_json:
        output.write_json({"id": found.id})
    else:
        output.say(f"Endpoint {found.name} is deleted.")


def _follow(client: Client, made: Endpoint, *, timeout_s: float, silent: bool) -> Endpoint:
    deadline, last, seen = session.CLOCK.monotonic() + timeout_s, "", made
    while seen.state != "ready":
        line = f"{seen.name}  {seen.state}  {seen.replicas_ready}/{seen.replicas_wanted}"
        line = f"{line}  {seen.problem or ''}".rstrip()
        if not silent and line != last:
            output.note(line)
        last = line
        if session.CLOCK.monotonic() >= deadline:
            sentence = f"Endpoint {seen.name} is still {seen.state}. It goes on by itself."
            raise Refused("wait_timed_out", sentence)
        session.CLOCK.sleep(POLL_S)
        seen = client.endpoints.find(made.id)
    return seen


def _show(found: Endpoint, *, as_json: bool) -> None:
    if as_json:
        output.write_json(found)
        return
    rows = {
        "Endpoint": found.id,
        "Name": found.name,
        "State": found.state,
        "Problem": found.problem or "",
        "URL": found.url,
        "Key": found.key or f"{found.key_prefix}...",
        "Image": found.image,
        "Command": " ".join(found.command),
        "Replicas": f"{found.replicas_ready} of {found.replicas_wanted} ready",
        "Per hour": format_usd(found.price_hour_microusd),
        "Cost": format_usd(found.cost_microusd),
    }
    output.pairs({name: value for name, value in rows.items() if value})
    for one in found.replicas:
        where = f"{output.short(one.placement_id)} on {output.short(one.machine_id or '?')}"
        line = f"{where}  {one.state}  {one.progress or ''}".rstrip()
        output.say(f"  {line}")
