"""This will show what a rental uses now, and what went wrong for it."""

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.units import format_size
from berth.usage import UsagePoint


def usage(*, rental_id: RentalId, as_json: AsJson = False) -> None:
    """Show what a rental uses now; with --json, the last hour of it."""
    with session.client() as client:
        found = client.usage(session.find(client, rental_id).id)
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
