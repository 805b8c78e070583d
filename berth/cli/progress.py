"""This will tell a person what a rental is doing, wait for it, and show it."""

from collections.abc import Callable

from berth.cli import output, session
from berth.client import Client
from berth.shapes import Funds, PublishedPort, Rental
from berth.units import format_duration, format_size, format_usd
from berth.waiting import wait

#: where the rentals were that tell when another may be ready
PLACES = {"kind": "on such machines", "site": "on this site"}


class Watch:
    """Says a rental's state to stderr, once per change; silent for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self._silent = as_json
        self._last = ""
        self._foretold = False

    def saw(self, rental: Rental) -> None:
        """Hear of one look at the rental."""
        line = f"{output.short(rental.id)}  {rental.state}  {rental.progress or ''}".rstrip()
        if not self._silent and line != self._last:
            output.note(line)
        if not self._silent and not self._foretold and rental.expected is not None:
            half = f"{rental.expected.half_by:%H:%M:%S}"
            most = f"{rental.expected.most_by:%H:%M:%S}"
            where = PLACES.get(rental.expected.basis, "on this machine")
            told = f"Half of the rentals {where} would be ready by {half}, 95 of 100 by {most}"
            output.note(f"{told} (UTC).")
            self._foretold = True
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
        "Name": rental.name,
        "State": f"{rental.state} {rental.progress or ''}".rstrip(),
        "Reason": rental.reason or "",
        "Image": rental.image,
        "Change": _change(rental),
        "Ports": ", ".join(_port(port) for port in rental.ports),
        "Volumes": ", ".join(f"{one.name or 'deleted'} at {one.path}" for one in rental.volumes),
        "Resources": resources_line(rental),
        "Price": _price(rental),
        "Price asked": _asked(rental),
        "Bid": _bid(rental),
        "Stops idle": _idle(rental),
        "Worst total": ""
        if rental.worst_total_microusd is None
        else format_usd(rental.worst_total_microusd),
        "Set aside": _funds(rental.funds),
        "Files kept until (UTC)": output.moment(rental.funds.files_until)
        if rental.funds.files_until
        else "",
        "Billed": f"{format_duration(rental.billed_ms)}, {format_usd(rental.cost_microusd)}",
        "Disk while stopped": _storage(rental),
        "Traffic": _traffic(rental),
        "Ended (UTC)" if rental.ended_at else "Ends (UTC)": output.moment(
            rental.ended_at or rental.ends_at
        ),
        "Host's work begins (UTC)": output.moment(rental.maintenance_at)
        if rental.maintenance_at
        else "",
        "Log in with": f"berth ssh {output.short(rental.id)}" if rental.ssh else "",
    }
    output.pairs({name: value for name, value in rows.items() if value})


def _price(rental: Rental) -> str:
    words = [f"{format_usd(rental.price_hour_microusd)} an hour"]
    if rental.price_type == "reserved":
        words.append("reserved")
    burn = rental.burn_hour_microusd
    if burn is not None and burn != rental.price_hour_microusd and not rental.over:
        words.append(f"{format_usd(burn)} as it is now")
    return ", ".join(words)


def _asked(rental: Rental) -> str:
    asked = rental.pending_price
    if asked is None:
        return ""
    price, worst = format_usd(asked.price_hour_microusd), format_usd(asked.worst_total_microusd)
    answer = f"berth accept {output.short(rental.id)} {price.removeprefix('$').replace(',', '')}"
    said = "You declined" if asked.declined else "Its host asks"
    since = f" from {output.moment(asked.from_at)} UTC" if asked.from_at else ""
    return f"{said} {price} an hour{since}, {worst} at most; nothing changes without: {answer}"


def _storage(rental: Rental) -> str:
    if not rental.storage_price_microusd:
        return ""
    price = format_usd(rental.storage_price_microusd)
    return f"{format_usd(rental.storage_microusd)} so far, {price} for a GB and 30 days"


def _traffic(rental: Rental) -> str:
    if not rental.network_price_microusd:
        return ""
    used, most = rental.traffic_bytes / 10**9, rental.traffic_bytes_max / 10**9
    price = format_usd(rental.network_price_microusd)
    return f"{format_usd(rental.traffic_microusd)} so far, {used:.2f} of {most:g} GB, {price} a GB"


def _bid(rental: Rental) -> str:
    if rental.bid_microusd is None:
        return ""
    words = [format_usd(rental.bid_microusd)]
    if rental.bids_from_microusd is not None:
        words.append(f"bids from {format_usd(rental.bids_from_microusd)} win now")
    if rental.outbid_stop_at is not None:
        words.append(f"outbid: it stops at {output.moment(rental.outbid_stop_at)} UTC")
    if rental.resumes:
        words.append("it starts again once its bid wins")
    return "; ".join(words)


def _funds(funds: Funds) -> str:
    if funds.funding == "whole":
        return ""
    until = output.moment(funds.paid_until)
    lasts = f"; it lasts until {until} UTC if nothing is added" if funds.paid_until else ""
    return f"{format_usd(funds.held_microusd)}, an hour ahead{lasts}"


def _idle(rental: Rental) -> str:
    rule = rental.idle_rule
    if rule is None:
        return ""
    words = f"after {format_duration(rule.after_s * 1000)} below {rule.below_percent} %"
    since = output.moment(rule.idle_since)
    return f"{words}; idle since {since} UTC" if rule.idle_since else words


def _change(rental: Rental) -> str:
    if rental.change.problem:
        return f"not made: {rental.change.problem} What ran before goes on."
    return "on its way; what ran before goes on" if rental.change.pending else ""


def _port(port: PublishedPort) -> str:
    return f"{port.inside} at {port.host}:{port.outside}" if port.outside else f"{port.inside}"


def resources_line(rental: Rental) -> str:
    """Return ``8 x RTX 5090, 1 CPU, 1 GiB, 2 GiB disk``, or all but the first."""
    asked = rental.resources
    if asked is None:
        return ""
    gpus = f"{gpus_of(rental)}, " if asked.gpu.count else ""
    ram, disk = format_size(asked.ram.capacity), format_size(asked.hard_disk.capacity)
    return f"{gpus}{asked.cpu.count} CPU, {ram}, {disk} disk"


def gpus_of(rental: Rental) -> str:
    """Return ``8 x RTX 5090``, or ``8 GPU`` where it is not said which; empty: it has none."""
    count = rental.resources.gpu.count if rental.resources else 0
    model = f"{count} x {rental.gpu_model}" if rental.gpu_model else f"{count} GPU"
    return model if count else ""
