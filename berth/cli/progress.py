"""This will tell a person what a rental is doing, wait for it, and show it."""

from collections.abc import Callable

from berth.cli import output, session
from berth.client import Client
from berth.shapes import PublishedPort, Rental
from berth.units import format_duration, format_size, format_usd
from berth.waiting import wait


class Watch:
    """Says a rental's state to stderr, once per change; silent for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self._silent = as_json
        self._last = ""

    def saw(self, rental: Rental) -> None:
        """Hear of one look at the rental."""
        line = f"{output.short(rental.id)}  {rental.state}  {rental.progress or ''}".rstrip()
        if not self._silent and line != self._last:
            output.note(line)
        self._last = line


def follow(
    client: Client,
    rental: Rental,
    *,
    until: Callable[[Rental], bool],
    timeout_s: float,
    as_json: bool,
) -> Rental:
    """Return the rental once ``until`` holds; Ctrl-C stops the waiting and not the rental.

    :raises Refused: as berth.waiting.wait does.
    """
    watch = Watch(as_json=as_json)
    try:
        return wait(
            client,
            rental,
            until=until,
            timeout_s=timeout_s,
            clock=session.CLOCK,
            saw=watch.saw,
        )
    except KeyboardInterrupt:
        short = output.short(rental.id)
        output.note(f"Not waiting any more; rental {short} goes on. End it: berth end {short}")
        raise


def show(rental: Rental, *, as_json: bool) -> None:
    """Write one rental."""
    if as_json:
        output.write_json(rental)
        return
    rows = {
        "Rental": rental.id,
        "State": f"{rental.state} {rental.progress or ''}".rstrip(),
        "Reason": rental.reason or "",
        "Image": rental.image,
        "Change": _change(rental),
        "Ports": ", ".join(_port(port) for port in rental.ports),
        "Volumes": ", ".join(f"{one.name or 'deleted'} at {one.path}" for one in rental.volumes),
        "Resources": resources_line(rental),
        "Price": f"{format_usd(rental.price_hour_microusd)} an hour",
        "Worst total": ""
        if rental.worst_total_microusd is None
        else format_usd(rental.worst_total_microusd),
        "Billed": f"{format_duration(rental.billed_ms)}, {format_usd(rental.cost_microusd)}",
        "Ended (UTC)" if rental.ended_at else "Ends (UTC)": output.moment(
            rental.ended_at or rental.ends_at
        ),
        "Host's work begins (UTC)": output.moment(rental.maintenance_at)
        if rental.maintenance_at
        else "",
        "Log in with": f"berth ssh {output.short(rental.id)}" if rental.ssh else "",
    }
    output.pairs({name: value for name, value in rows.items() if value})


def _change(rental: Rental) -> str:
    if rental.change.problem:
        return f"not made: {rental.change.problem} What ran before goes on."
    return "on its way; what ran before goes on" if rental.change.pending else ""


def _port(port: PublishedPort) -> str:
    return f"{port.inside} at {port.host}:{port.outside}" if port.outside else f"{port.inside}"


def resources_line(rental: Rental) -> str:
    """Return ``1 CPU, 1 GiB, 2 GiB disk``."""
    asked = rental.resources
    if asked is None:
        return ""
    gpus = f"{asked.gpu.count} GPU, " if asked.gpu.count else ""
    ram, disk = format_size(asked.ram.capacity), format_size(asked.hard_disk.capacity)
    return f"{gpus}{asked.cpu.count} CPU, {ram}, {disk} disk"
