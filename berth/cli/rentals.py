"""This will list rentals, and rename, end, extend and forget one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from berth.cli import output, progress, session
from berth.cli.options import TIMEOUT_S, AsJson, Cap, Lease, RentalId, Timeout, Wait, usd
from berth.problem import Refused
from berth.shapes import ChangeRequest, Rental
from berth.units import format_duration, format_size, format_usd

Which = Annotated[
    str | None, typer.Argument(metavar="[RENTAL]", help="Show this one with all there is to know.")
]


def ps(
    *,
    rental_id: Which = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Ended ones too.")] = False,
    state: Annotated[
        str, typer.Option(metavar="STATE", help="Only such: active, stopped, failed, live or over.")
    ] = "",
    search: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="With this in the name, or as the id begins; ended ones too."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List your rentals, or show one."""
    with session.client() as client:
        if rental_id is not None:
            progress.show(session.find(client, rental_id), as_json=as_json)
            return
        found = client.rentals(everything=everything or bool(search), state=state, search=search)
    if as_json:
        output.write_json({"items": found})
        return
    now = datetime.now(UTC)
    empty = "You have no rentals." if everything else "No rental is live."
    heads: tuple[str, ...] = (
        "RENTAL",
        "~NAME",
        "STATE",
        "~IMAGE",
        "~SLICE",
        ">COST",
        ">LEFT",
        "SSH",
    )
    rows = [_row(rental, now) for rental in found]
    if not any(rental.name for rental in found):
        heads, rows = heads[:1] + heads[2:], [row[:1] + row[2:] for row in rows]
    output.table(heads, rows, empty="No rental matches." if state or search else empty)


def rename(
    *,
    rental_id: RentalId,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="On one line; without one it has no name.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Call a rental something, or nothing any more. Only you see its name."""
    with session.client() as client:
        found = session.find(client, rental_id)
        rental = client.change(found.id, ChangeRequest(name=name))
    progress.show(rental, as_json=as_json)


def end(
    *,
    rental_id: RentalId,
    wait_ended: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """End a rental and throw its files away. Billing ends with this request."""
    with session.client() as client:
        rental = client.end(session.find(client, rental_id).id)
        if wait_ended:
            rental = progress.follow(
                client,
                rental,
                until=lambda seen: seen.over,
                timeout_s=timeout_s,
                as_json=as_json,
            )
    progress.show(rental, as_json=as_json)


def extend(
    *, rental_id: RentalId, lease: Lease = None, cap: Cap = None, as_json: AsJson = False
) -> None:
    """Give a rental a longer lease, counted from its start, or a higher cap. The other stays."""
    if lease is None and cap is None:
        raise typer.BadParameter("Say how far: --lease 2h, or --cap 5.00, or both.")
    with session.client() as client:
        found = session.find(client, rental_id)
        rental = client.extend(found.id, lease_s=lease, cap_microusd=cap)
    progress.show(rental, as_json=as_json)


def bid(
    *,
    rental_id: RentalId,
    price: Annotated[int, typer.Argument(parser=usd, metavar="PRICE", help="USD an hour.")],
    as_json: AsJson = False,
) -> None:
    """Bid another price of an hour for an interruptible rental, from now on."""
    with session.client() as client:
        rental = client.bid(session.find(client, rental_id).id, bid_microusd=price)
    progress.show(rental, as_json=as_json)


def rm(
    *,
    rental_id: RentalId,
    end_first: Annotated[bool, typer.Option("--end", help="End it first.")] = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Take an ended rental off your lists. Save its receipts first, if you want them."""
    with session.client() as client:
        rental = session.find(client, rental_id)
        if not rental.over and not end_first:
            sentence = f"Rental {rental.id} is {rental.state}. End it first: berth rm --end"
            raise Refused("rental_live", sentence)
        if not rental.over:
            progress.follow(
                client,
                client.end(rental.id),
                until=lambda seen: seen.over,
                timeout_s=timeout_s,
                as_json=as_json,
            )
        client.forget(rental.id)
    session.doors().forget(rental.id)
    if as_json:
        output.write_json({"id": rental.id, "forgotten": True})
    else:
        output.say(f"Rental {rental.id} is forgotten.")


def _row(rental: Rental, now: datetime) -> tuple[str, ...]:
    left = ""
    if rental.ends_at and not rental.over:
        seconds = max(0, int((rental.ends_at - now).total_seconds()))
        # To the minute: a list is read, not counted down.
        left = format_duration((seconds - seconds % 60 if seconds >= 60 else seconds) * 1000)
    return (
        output.short(rental.id),
        rental.name,
        rental.state,
        rental.image,
        _slice(rental),
        format_usd(rental.cost_microusd),
        left,
        f"{rental.ssh.host}:{rental.ssh.port}" if rental.ssh else "",
    )


def _slice(rental: Rental) -> str:
    """Return what tells rentals apart: ``8 x RTX 5090`` or ``2 CPU``, and memory."""
    asked = rental.resources
    if asked is None:
        return ""
    units = progress.gpus_of(rental) or f"{asked.cpu.count} CPU"
    return f"{units}, {format_size(asked.ram.capacity)}"
