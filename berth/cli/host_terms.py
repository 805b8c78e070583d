"""This will show and set on which terms a machine is rented out, and ask its price of what runs."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from berth.cli import output, session
from berth.cli.host_machines import MOMENTS, as_utc
from berth.cli.hotkey import MachineId, find_machine
from berth.cli.options import AsJson, duration, usd, usd_or_nothing
from berth.offers import Discount
from berth.terms import HostOffer
from berth.units import format_duration, format_usd

STEP = re.compile(r"(?P<days>\d{1,3})\s*:\s*(?P<percent>\d{1,2}(\.\d{1,4})?)\s*%?", re.ASCII)


def _step(value: str | Discount) -> Discount:
    match = STEP.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, Discount):
        return value
    if match is None:
        raise typer.BadParameter(f"{value!r} is no step. Write days and percent off, like 30:20.")
    ppm = int(Decimal(match["percent"]) * 10_000)
    return Discount(days=int(match["days"]), discount_ppm=ppm)


Listed = Annotated[
    bool | None, typer.Option("--listed/--unlisted", help="On the market, or off it.")
]
Price = Annotated[
    int | None, typer.Option(parser=usd, metavar="USD", help="An hour of one GPU, or CPU.")
]
BidFloor = Annotated[
    int | None, typer.Option(parser=usd, metavar="USD", help="The lowest bid for that hour.")
]
NoBids = Annotated[bool, typer.Option("--no-bids", help="Take no bids.")]
Discounts = Annotated[
    list[Discount] | None,
    typer.Option(
        "--discount",
        parser=_step,
        metavar="DAYS:PERCENT",
        help="Off a reservation so long: 30:20. Again for more steps; they replace all.",
    ),
]
NoDiscounts = Annotated[bool, typer.Option("--no-discounts", help="Take no reservations.")]
Storage = Annotated[
    int | None,
    typer.Option(
        parser=usd_or_nothing, metavar="USD", help="A GB of disk and 30 days while stopped."
    ),
]
Traffic = Annotated[
    int | None, typer.Option(parser=usd_or_nothing, metavar="USD", help="A GB of traffic.")
]
Longest = Annotated[
    int | None,
    typer.Option(parser=duration, metavar="DURATION", help="No rental is longer: 30d."),
]
GpusMin = Annotated[
    int | None, typer.Option(min=0, metavar="NUMBER", help="The fewest GPUs at once.")
]
CpusMin = Annotated[
    int | None, typer.Option(min=1, metavar="NUMBER", help="The fewest CPUs at once.")
]
Until = Annotated[
    datetime | None,
    typer.Option(
        formats=MOMENTS, metavar="TIME", help="For rent until then, UTC: 2027-01-05T08:00Z."
    ),
]
NoEnd = Annotated[bool, typer.Option("--no-end", help="For rent as long as it is listed.")]
Guests = Annotated[
    list[str] | None,
    typer.Option(
        "--guest", metavar="ADDRESS", help="Only they see it. Again for more; they replace all."
    ),
]
Everybody = Annotated[bool, typer.Option("--everybody", help="Everybody sees it again.")]


def terms(
    *,
    machine: MachineId,
    listed: Listed = None,
    price: Price = None,
    bid_floor: BidFloor = None,
    no_bids: NoBids = False,
    discounts: Discounts = None,
    no_discounts: NoDiscounts = False,
    storage: Storage = None,
    traffic: Traffic = None,
    longest: Longest = None,
    gpus_min: GpusMin = None,
    cpus_min: CpusMin = None,
    until: Until = None,
    no_end: NoEnd = False,
    guests: Guests = None,
    everybody: Everybody = False,
    as_json: AsJson = False,
) -> None:
    """Show a machine's terms, or set those that you name. Rentals that run keep theirs."""
    changes: dict[str, Any] = {
        "listed": listed,
        "bid_floor_microusd": bid_floor,
        "discounts": [step.model_dump() for step in discounts] if discounts else None,
        "storage_price_microusd": storage,
        "network_price_microusd": traffic,
        "longest_term_s": longest,
        "gpus_min": gpus_min,
        "cpus_min": cpus_min,
        "ends_at": None if until is None else as_utc(until).isoformat(),
        "guests": guests or None,
    }
    taken_off: dict[str, tuple[str, str, bool, list[Any] | None]] = {
        "bid_floor_microusd": ("--bid-floor", "--no-bids", no_bids, None),
        "discounts": ("--discount", "--no-discounts", no_discounts, []),
        "ends_at": ("--until", "--no-end", no_end, None),
        "guests": ("--guest", "--everybody", everybody, None),
    }
    for name, (sets, takes_off, is_off, _) in taken_off.items():
        if is_off and changes[name] is not None:
            raise typer.BadParameter(f"Give {sets} or {takes_off}, not both.")
    told = {name: value for name, value in changes.items() if value is not None}
    told |= {name: nothing for name, (_, _, is_off, nothing) in taken_off.items() if is_off}
    with session.client() as client:
        found = find_machine(client, machine)
        if price is not None:
            unit = "gpu" if found.gpus else "cpu"
            told[f"price_{unit}_hour_microusd"] = price
        offer = client.terms.change(found.id, told) if told else client.terms.find(found.id)
    if as_json:
        output.write_json(offer)
    else:
        output.pairs(_lines(offer))


def propose(*, machine: MachineId, as_json: AsJson = False) -> None:
    """Ask the machine's present price of what runs there: lower at once, higher with a yes."""
    with session.client() as client:
        found = client.terms.propose(find_machine(client, machine).id)
    if as_json:
        output.write_json(found)
        return
    output.say(f"Rentals that cost less from now on: {found.lowered}.")
    output.say(f"Renters who are asked for the higher price: {found.asked}.")


def _lines(offer: HostOffer) -> dict[str, str]:
    has_gpu = offer.gpus > 0
    price = offer.price_gpu_hour_microusd if has_gpu else offer.price_cpu_hour_microusd
    unit = "GPU" if has_gpu else "CPU"
    floor, window = offer.bid_floor_microusd, offer.maintenance
    steps = [f"{one.days} days {one.discount_ppm / 10_000:g} % off" for one in offer.discounts]
    fewest = [_count(offer.gpus_min, "GPU")] if has_gpu else []
    fewest.append(_count(offer.cpus_min, "CPU"))
    return {
        "On the market": "yes" if offer.listed else "no",
        "Price": f"{format_usd(price)} an hour of one {unit}",
        "Lowest bid": "takes no bids" if floor is None else format_usd(floor),
        "Reservations": ", ".join(steps) or "takes none",
        "Disk, stopped": _per_gb(offer.storage_price_microusd, " and 30 days"),
        "Traffic": _per_gb(offer.network_price_microusd, ""),
        "Longest": format_duration(offer.longest_term_set_s * 1000),
        "Fewest at once": ", ".join(fewest),
        "Country": offer.country or "not told",
        "For rent until": f"{output.moment(offer.ends_at)} UTC" if offer.ends_at else "no end",
        "Maintenance": (
            f"{output.moment(window.begins_at)} to {output.moment(window.ends_at)} UTC"
            if window
            else "none announced"
        ),
        "Seen by": _seen_by(offer.guests),
    }


def _seen_by(guests: Sequence[str] | None) -> str:
    if guests is None:
        return "everybody"
    return " and ".join(["you", ", ".join(guests)] if guests else ["you alone"])


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _per_gb(microusd: int, more: str) -> str:
    return f"{format_usd(microusd)} a GB{more}" if microusd else "costs nothing"
