"""This will show the balance and where money went, and add credit."""

from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, usd
from berth.problem import Refused
from berth.units import format_usd

Amount = Annotated[int, typer.Argument(parser=usd, metavar="USD", help="For example 25.00.")]


def balance(*, as_json: AsJson = False) -> None:
    """Show what you have, and what running rentals hold of it."""
    with session.client() as client:
        me = client.me()
    if as_json:
        output.write_json(me)
    else:
        free, held = format_usd(me.balance_microusd), format_usd(me.held_microusd)
        output.pairs({"Account": me.email, "Balance": free, "Held": held})


def statement(*, as_json: AsJson = False) -> None:
    """Show every movement of your money."""
    with session.client() as client:
        found = client.statement()
    if as_json:
        output.write_json(found)
        return
    rows = [
        (
            output.moment(line.at),
            line.kind,
            format_usd(line.amount_microusd),
            format_usd(line.total_microusd),
            line.note or "",
        )
        for line in found.items
    ]
    columns = ("AT (UTC)", "KIND", ">AMOUNT", ">TOTAL", "~NOTE")
    output.table(columns, rows, empty="Nothing has moved yet.")
    free, held = format_usd(found.balance_microusd), format_usd(found.held_microusd)
    output.say(f"Balance {free}, held {held}: together the newest line's total.")


def topup(*, amount: Amount, as_json: AsJson = False) -> None:
    """Add credit through the marketplace's payment gateway."""
    with session.client() as client:
        made = client.top_up(amount_microusd=amount)
    if made.state == "refused":
        raise Refused("payment_refused", made.reason or "The payment was refused.")
    if as_json:
        output.write_json(made)
    else:
        output.say(f"Top-up of {format_usd(amount)}: {made.state}.")
