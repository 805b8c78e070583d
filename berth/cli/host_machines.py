"""This will show a host's machines and their market, set terms, and announce work on one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.hotkey import MachineId, find_machine
from berth.cli.options import AsJson, usd
from berth.hosting import HostedMachine, MarketPrices, Spread
from berth.units import format_usd

MOMENTS = ["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ"]
UnitPrice = Annotated[
    int, typer.Argument(parser=usd, metavar="PRICE", help="An hour of one GPU, or CPU: 0.42.")
]
ThinkOf = Annotated[
    int | None,
    typer.Option("--price", parser=usd, metavar="USD", help="What would this price earn?"),
]
Begins = Annotated[
    datetime | None,
    typer.Option("--from", formats=MOMENTS, metavar="TIME", help="UTC, such as 2027-01-05T08:00Z."),
]
Ends = Annotated[
    datetime | None, typer.Option("--until", formats=MOMENTS, metavar="TIME", help="UTC.")
]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Call it off.")]


def machines(*, as_json: AsJson = False) -> None:
    """List your machines: status, verdict, occupancy and reliability of 30 days, earnings."""
    with session.client() as client:
        found = client.hosting.machines()
    if as_json:
        output.write_json(list(found))
        return
    rows = [
        (
            output.short(one.id),
            _title(one),
            "online" if one.online else "offline",
            one.verdict,
            f"{one.occupancy_ppm / 10_000:.1f} %",
            format_usd(one.earned_microusd),
            f"{one.uptime_ppm / 1_000_000:.4f}",
        )
        for one in found
    ]
    columns = ("MACHINE", "~IS", "STATUS", "VERDICT", ">OCCUPANCY", ">EARNED", ">RELIABILITY")
    output.table(columns, rows, empty="You have no machine yet. Enrol one: berth host token")
    for one in found:
        for reason in one.reasons:
            output.say(f"{output.short(one.id)}: {output.plain(reason.message)}")


def market(*, machine: MachineId, price: ThinkOf = None, as_json: AsJson = False) -> None:
    """Show where prices of machines like yours lie, and what a price would earn in 30 days."""
    with session.client() as client:
        found = client.hosting.market(find_machine(client, machine).id, price_microusd=price)
    if as_json:
        output.write_json(found)
        return
    output.pairs(
        {
            "Offered": _spread(found.offered, "too few offer such machines to tell"),
            "Paid now": _spread(found.paid, "fewer than five hosts are paid for such machines"),
            "Occupancy, 30 days": f"{found.occupancy_ppm / 10_000:.1f} %",
            f"Earns at {format_usd(found.price_unit_microusd)}": _earns(found),
        }
    )


def price(*, machine: MachineId, price: UnitPrice, as_json: AsJson = False) -> None:
    """Ask this price of rentals that start from now on; what runs keeps its own."""
    with session.client() as client:
        found = find_machine(client, machine)
        client.hosting.set_price(found.id, price_microusd=price, has_gpus=found.gpus > 0)
    if as_json:
        output.write_json({"id": found.id, "price_unit_microusd": price})
    else:
        output.say(f"{output.short(found.id)} asks {format_usd(price)} an hour from now on.")


def country(
    *,
    machine: MachineId,
    country: Annotated[str | None, typer.Argument(metavar="[CC]", help="Two letters: DE.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Say nothing any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which country a machine is in. Renters find it by that, as your word."""
    if withdraw == bool(country):
        raise typer.BadParameter("Give the country as two letters, or --withdraw alone.")
    with session.client() as client:
        found = find_machine(client, machine)
        client.hosting.set_country(found.id, country or "")
    if as_json:
        output.write_json({"id": found.id, "country": (country or "").upper()})
        return
    short = output.short(found.id)
    output.say(
        f"Renters read that you say {short} is in {output.plain(country).upper()}."
        if country
        else f"Nothing is said of where {short} is any more."
    )


def maintenance(
    *,
    machine: MachineId,
    begins: Begins = None,
    ends: Ends = None,
    withdraw: Withdraw = False,
    as_json: AsJson = False,
) -> None:
    """Announce when you work on a machine, or call it off. Renters are told."""
    if withdraw == (begins is not None or ends is not None) or (begins is None) != (ends is None):
        raise typer.BadParameter("Give --from and --until, or --withdraw alone.")
    with session.client() as client:
        found = find_machine(client, machine)
        window = None if begins is None or ends is None else (as_utc(begins), as_utc(ends))
        client.hosting.set_maintenance(found.id, window)
    if as_json:
        moments = () if window is None else (one.isoformat() for one in window)
        told = dict(zip(("begins_at", "ends_at"), moments, strict=False)) or None
        output.write_json({"id": found.id, "maintenance": told})
        return
    short = output.short(found.id)
    if window is None:
        output.say(f"No work on {short} is announced any more.")
        return
    until = f"{output.moment(window[0])} to {output.moment(window[1])} UTC"
    output.say(f"Announced for {short}: {until}. What still runs there then ends.")


def as_utc(at: datetime) -> datetime:
    """Return a moment that was typed, which is of UTC."""
    return at.replace(tzinfo=UTC)


def _title(one: HostedMachine) -> str:
    return output.plain(f"{one.gpus} x {one.gpu_model}" if one.gpus else f"{one.cpus} CPUs")


def _spread(found: Spread | None, otherwise: str) -> str:
    if found is None:
        return otherwise
    cuts = ", ".join(
        f"{name} {format_usd(cut)}"
        for name, cut in (
            ("P10", found.p10_microusd),
            ("median", found.median_microusd),
            ("P90", found.p90_microusd),
        )
    )
    return f"{cuts} ({found.prices} of {found.hosts} hosts)"


def _earns(found: MarketPrices) -> str:
    return f"{format_usd(found.earns_microusd)} in 30 days, rented as much as now"
