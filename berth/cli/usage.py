"""This will show what a rental uses now, and what went wrong for it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.shapes import Rental
from berth.units import format_size
from berth.usage import Figure, Metrics, MetricsPoint, UsagePoint

LENGTHS: Mapping[str, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "month": timedelta(days=30),
}


def usage(
    *,
    rental_id: RentalId,
    span: Annotated[
        Literal["hour", "day", "month"] | None,
        typer.Option(help="What it used in so long: on average, and at most in ten seconds."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a rental uses now, or used; with --json and no --span, the last hour of it."""
    with session.client() as client:
        rental = session.find(client, rental_id)
        if span is not None:
            told = client.metrics(rental.id, span=span)
            _show(told, is_over=_is_over(rental, span), as_json=as_json)
            return
        found = client.usage(rental.id)
    if as_json:
        output.write_json(found)
        return
    if found.points:
        output.pairs(_numbers(found.points[-1]))
    else:
        output.say("Its machine has told nothing in the last hour.")
    for one in found.incidents:
        times = "" if one.count == 1 else f" ({one.count} times)"
        blame = f"[most likely: {one.blame}]"
        output.say(f"{output.moment(one.at)}  {one.sentence}{times} {blame}")


def _is_over(rental: Rental, span: str) -> bool:
    """Say whether all that it used is longer ago than that."""
    ended_at = rental.ended_at
    return ended_at is not None and ended_at <= datetime.now(UTC) - LENGTHS[span]


def _show(told: Metrics, *, is_over: bool, as_json: bool) -> None:
    if as_json:
        output.write_json(told)
        return
    gpus = max((len(point.gpus) for point in told.points), default=0)
    output.table(
        (
            "AT (UTC)",
            ">CPU CORES",
            ">MEMORY",
            ">DISK",
            "?>IN",
            "?>OUT",
            *(f">GPU {number} BUSY" for number in range(1, gpus + 1)),
        ),
        [_row(point, gpus) for point in told.points],
        empty="Nothing of it is kept any more: five minutes are for a day, hours for 30 days."
        if is_over
        else "Nothing is known of it: a line comes once its five minutes, or its hour, are over.",
    )


def _row(point: MetricsPoint, gpus: int) -> tuple[str, ...]:
    busy = [gpu.busy_percent for gpu in point.gpus] + [None] * (gpus - len(point.gpus))
    return (
        output.moment(point.at),
        _figure(point.cpu_milli, lambda milli: f"{milli / 1000:.2f}"),
        _figure(point.memory_bytes, format_size),
        _figure(point.disk_used_bytes, format_size),
        _figure(point.received_bytes_s, lambda told: f"{format_size(told)}/s"),
        _figure(point.sent_bytes_s, lambda told: f"{format_size(told)}/s"),
        *(_figure(one, lambda percent: f"{percent} %") for one in busy),
    )


def _figure(one: Figure | None, words: Callable[[int], str]) -> str:
    if one is None:
        return "-"
    mean, most = words(one.mean), words(one.most)
    return mean if mean == most else f"{mean} ({most})"


def _numbers(point: UsagePoint) -> dict[str, str]:
    cpu = "-" if point.cpu_milli is None else f"{point.cpu_milli / 1000:.2f} cores"
    rows = {"at": output.moment(point.at), "cpu": cpu, "memory": format_size(point.memory_bytes)}
    if point.disk_used_bytes is not None and point.disk_bytes is not None:
        rows["disk"] = f"{format_size(point.disk_used_bytes)} of {format_size(point.disk_bytes)}"
    if point.received_bytes_s is not None and point.sent_bytes_s is not None:
        rows["network"] = (
            f"{format_size(point.received_bytes_s)}/s in, {format_size(point.sent_bytes_s)}/s out"
        )
    for number, gpu in enumerate(point.gpus, 1):
        busy = "-" if gpu.busy_percent is None else f"{gpu.busy_percent} % busy"
        held = "" if gpu.memory_bytes is None else f", {format_size(gpu.memory_bytes)} used"
        rows[f"gpu {number}"] = f"{busy}{held}"
    return rows
