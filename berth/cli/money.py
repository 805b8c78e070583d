"""This will show the balance and where money went, and add money."""

from typing import Annotated

import typer

from berth.bills import SpendLimits, StatementLine
from berth.cli import output, session
from berth.cli.options import AsJson, usd
from berth.problem import Refused
from berth.units import format_duration, format_usd
from protocol.spreadsheet import cell, dollars

Amount = Annotated[int, typer.Argument(parser=usd, metavar="USD", help="For example 25.00.")]
LimitOption = Annotated[
    int | None, typer.Option(parser=usd, metavar="USD", help="The most; the other limit stays.")
]


def balance(*, as_json: AsJson = False) -> None:
    """Show what you can spend, and what is set aside for what you rented."""
    with session.client() as client:
        me = client.me()
    if as_json:
        output.write_json(me)
    else:
        free, held = format_usd(me.balance_microusd), format_usd(me.held_microusd)
        account = f"{me.team}, by {me.email}" if me.team else me.email
        pairs = {"Account": account, "Balance": free, "Held": held}
        if me.frozen_microusd:
            pairs["Set aside for disputes"] = format_usd(me.frozen_microusd)
        if me.earned_microusd:
            pairs["Earned, not paid out"] = format_usd(me.earned_microusd)
        given = (
            f"{format_usd(one.left_microusd)} until {output.moment(one.expires_at)} UTC"
            for one in me.credit
        )
        output.pairs(pairs | ({"Of it credit": ", ".join(given)} if me.credit else {}))


AsCsv = Annotated[bool, typer.Option("--csv", help="Write lines for a spreadsheet.")]


def statement(*, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Show every movement of your money."""
    with session.client() as client:
        found = client.statement()
    if as_csv:
        output.write_csv(
            ("since_utc", "at_utc", "kind", "amount_usd", "total_usd", "note"),
            (
                (
                    output.moment(line.since),
                    output.moment(line.at),
                    line.kind,
                    dollars(line.amount_microusd),
                    dollars(line.total_microusd),
                    cell(output.plain(_told(line))),
                )
                for line in found.items
            ),
        )
        return
    if as_json:
        output.write_json(found)
        return
    rows = [
        (
            output.moment(line.at),
            line.kind,
            format_usd(line.amount_microusd),
            format_usd(line.total_microusd),
            "; ".join([_told(line), *_unbilled(line)]),
        )
        for line in found.items
    ]
    columns = ("AT (UTC)", "KIND", ">AMOUNT", ">TOTAL", "~NOTE")
    output.table(columns, rows, empty="Nothing has moved yet.")
    free, held = format_usd(found.balance_microusd), format_usd(found.held_microusd)
    output.say(f"Balance {free}, held {held}: together the newest line's total.")


def _told(line: StatementLine) -> str:
    return ": ".join(filter(None, (line.title, line.note)))


def _unbilled(line: StatementLine) -> list[str]:
    return [
        f"{format_duration(one.ms)} not charged: {one.sentence}"
        for one in line.unbilled
        if one.ms >= 1000
    ]


def topup(*, amount: Amount, as_json: AsJson = False) -> None:
    """Add money to your balance, from your saved card where the site takes cards."""
    with session.client() as client:
        made = client.top_up(amount_microusd=amount)
    if made.state == "refused":
        raise Refused("payment_refused", made.reason or "The payment was refused.")
    if as_json:
        output.write_json(made)
    else:
        output.say(f"Top-up of {format_usd(amount)}: {made.state}.")
    if made.confirm_url and not as_json:
        output.say(f"Your bank wants you to confirm it: {made.confirm_url}")


def limits(
    *,
    day: LimitOption = None,
    month: LimitOption = None,
    day_off: Annotated[bool, typer.Option("--no-day", help="No limit of a day.")] = False,
    month_off: Annotated[bool, typer.Option("--no-month", help="No limit of a month.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what your account may set aside in a day and a month (UTC), or change it."""
    if (day is not None and day_off) or (month is not None and month_off):
        raise typer.BadParameter("Name a limit or take it off, not both.")
    with session.client() as client:
        found = client.spend_limits()
        if day is not None or month is not None or day_off or month_off:
            found = client.set_spend_limits(
                day_microusd=None if day_off else day or found.day_microusd,
                month_microusd=None if month_off else month or found.month_microusd,
            )
    if as_json:
        output.write_json(found)
    else:
        output.pairs(_limit_lines(found))


def _limit_lines(found: SpendLimits) -> dict[str, str]:
    def line(counted: int | None, limit: int | None) -> str:
        return "no limit" if limit is None else f"{format_usd(counted or 0)} of {format_usd(limit)}"

    return {
        "Today": line(found.day_counted_microusd, found.day_microusd),
        "This month": line(found.month_counted_microusd, found.month_microusd),
    }
