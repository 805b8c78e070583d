"""This will run one-shot jobs from a terminal, and show and fetch what they left."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from berth import choice, jobs
from berth.cli import output, session, workload
from berth.cli.best_offers import best_offers
from berth.cli.options import AsJson, Timeout, Wait, duration, size
from berth.cli.up import GIB, Disk, Ram
from berth.client import Client
from berth.jobs import STDERR, STDOUT, InputFile, Job, JobRequest
from berth.offers import Asked
from berth.problem import Refused
from berth.units import format_usd
from protocol.hardware import Resources

app = typer.Typer(
    name="jobs",
    help="Run a command once, without a network: inputs in, outputs out.",
    no_args_is_help=True,
)
POLL_S = 0.5
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or how the id begins.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="FILE[:PATH]",
        help="A file, found as /input/PATH; PATH is its own name if it is left out. Repeat it.",
    ),
]
Limit = Annotated[
    int,
    typer.Option("--limit", parser=duration, metavar="DURATION", help="It ends after: 10m, 2h."),
]
Outputs = Annotated[
    int,
    typer.Option(
        "--outputs", parser=size, metavar="SIZE", show_default="64MiB", help="All that it leaves."
    ),
]
TIMEOUT_S = 24 * 3600


@app.command("run")
def run(
    *,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND]", help="What runs, instead of the image's own."),
    ] = None,
    offer: Annotated[str | None, typer.Option(metavar="OFFER", help="From: berth offers")] = None,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="What to run it in, for example debian:12.")
    ],
    limit: Limit,
    inputs: Inputs = None,
    outputs_max: Outputs = 64 << 20,
    cpus: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="CPUs.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="GPUs.")] = 0,
    ram: Ram = GIB,
    disk: Disk = 2 * GIB,
    environment: workload.Environment = None,
    wait_over: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Run a command once, on the cheapest machine or on the OFFER's."""
    variables = workload.variables(environment or [])
    files = [_input(one) for one in inputs or []]
    resources = Resources.of(cpus=cpus, gpus=gpus, ram_bytes=ram, disk_bytes=disk)
    with session.client() as client:
        found = (
            session.find_offer(client, offer, Asked.of(resources))
            if offer
            else best_offers(client, resources, None)[0]
        )
        price = choice.price_hour(found)
        uploaded = [InputFile(path=path, digest=_upload(client, file)) for file, path in files]
        job = client.jobs.run(
            JobRequest(
                offer_id=found.id,
                image=image,
                command=tuple(command or ()),
                environment=variables,
                inputs=tuple(uploaded),
                resources=resources,
                run_limit_s=limit,
                outputs_bytes_max=outputs_max,
                price_hour_microusd_max=price,
            )
        )
        if not as_json:
            costs = f"{format_usd(price)} an hour, {format_usd(job.worst_total_microusd or 0)}"
            output.note(f"Job {output.short(job.id)} costs {costs} at most.")
        if wait_over:
            job = _follow(client, job, timeout_s=timeout_s, silent=as_json)
    _show(job, as_json=as_json)


@app.command("ls")
def ls(*, as_json: AsJson = False) -> None:
    """List your jobs, newest first."""
    with session.client() as client:
        found = list(client.jobs.all())
    if as_json:
        output.write_json({"items": found})
        return
    output.table(
        ("JOB", "STATE", ">EXIT", "~IMAGE", "~COMMAND", ">COST", "STARTED (UTC)"),
        [
            (
                output.short(job.id),
                job.state,
                "" if job.exit_code is None else str(job.exit_code),
                job.image,
                " ".join(job.command),
                format_usd(job.cost_microusd),
                output.moment(job.started_at),
            )
            for job in found
        ],
        empty="You have no jobs.",
    )


@app.command("show")
def show(*, job_id: JobId, as_json: AsJson = False) -> None:
    """Show a job: how it does, how it exited and what it left."""
    with session.client() as client:
        job = session.find_job(client, job_id)
    _show(job, as_json=as_json)


@app.command("logs")
def logs(
    *,
    job_id: JobId,
    errors: Annotated[
        bool, typer.Option("--stderr", help="What it said there, instead of on stdout.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write what a job said, once it is over; where it said much, the end of it."""
    path = STDERR if errors else STDOUT
    with session.client() as client:
        job = session.find_job(client, job_id)
        told = next((one for one in job.outputs if one.path == path), None)
        if told is None:
            sentence = f"Job {output.short(job.id)} is {job.state} and left no {path} so far."
            raise Refused("not_found", sentence)
        said = io.BytesIO()
        client.jobs.fetch(job.id, told, said if as_json else sys.stdout.buffer)
    if as_json:
        text = said.getvalue().decode(errors="replace")
        output.write_json({"id": job.id, "path": path, "text": text})


@app.command("outputs")
def outputs(
    *,
    job_id: JobId,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new folder; else job-ID, here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch all that a job left into a new folder."""
    with session.client() as client:
        job = session.find_job(client, job_id)
        folder = to or Path(f"job-{output.short(job.id)}")
        if folder.exists():
            raise Refused("folder_exists", f"{folder} is there already; name another with --to.")
        for one in job.outputs:
            target = jobs.target_of(folder, one)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                client.jobs.fetch(job.id, one, file)
    if as_json:
        output.write_json({"folder": str(folder), "files": list(job.outputs)})
    else:
        output.say(f"{len(job.outputs)} files of job {output.short(job.id)} are in {folder}.")


@app.command("cancel")
def cancel(*, job_id: JobId, as_json: AsJson = False) -> None:
    """End a job before it exits: nothing after this is charged."""
    with session.client() as client:
        job = client.jobs.cancel(session.find_job(client, job_id).id)
    _show(job, as_json=as_json)


def _input(typed: str) -> tuple[Path, str]:
    name, _, path = typed.partition(":")
    file = Path(name)
    if not file.is_file():
        raise typer.BadParameter(f"There is no file {name!r}.")
    return file, path or file.name


def _upload(client: Client, file: Path) -> str:
    with file.open("rb") as content:
        return client.jobs.upload(content)


def _follow(client: Client, job: Job, *, timeout_s: float, silent: bool) -> Job:
    deadline, last = session.CLOCK.monotonic() + timeout_s, ""
    while not job.over:
        line = f"{output.short(job.id)}  {job.state}  {job.progress or ''}".rstrip()
        if not silent and line != last:
            output.note(line)
        last = line
        if session.CLOCK.monotonic() >= deadline:
            sentence = f"Job {job.id} is still {job.state}. It goes on: see berth jobs ls."
            raise Refused("wait_timed_out", sentence)
        session.CLOCK.sleep(POLL_S)
        job = client.jobs.find(job.id)
    return job


def _show(job: Job, *, as_json: bool) -> None:
    if as_json:
        output.write_json(job)
        return
    rows = {
        "Job": job.id,
        "State": f"{job.state} {job.progress or ''}".rstrip(),
        "Exit code": "" if job.exit_code is None else str(job.exit_code),
        "Reason": job.reason or "",
        "Image": job.image,
        "Command": " ".join(job.command),
        "Cost": format_usd(job.cost_microusd),
        "Outputs": ", ".join(one.path for one in job.outputs),
    }
    output.pairs({name: value for name, value in rows.items() if value})
