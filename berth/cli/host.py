"""This will show hosts what they earned, and when and how much they are paid."""

from typing import Annotated, Literal

import typer

from berth.cli import host_machines, host_show, host_terms, output, session
from berth.cli.options import AsJson
from berth.hosting import PayoutDetails, Payouts
from berth.units import format_usd

app = typer.Typer(help="Your machines, their prices and earnings.", no_args_is_help=True)
app.command("token")(host_show.token)
app.command("machines")(host_machines.machines)
app.command("show")(host_show.show)
app.command("appeal")(host_show.appeal)
app.command("market")(host_machines.market)
app.command("price")(host_machines.price)
app.command("terms")(host_terms.terms)
app.command("propose")(host_terms.propose)
app.command("country")(host_machines.country)
app.command("maintenance")(host_machines.maintenance)

OBSTACLES = {
    "site": "This site pays nothing out yet; what you earn stays yours.",
    "chain_only": "You chose emission on chain only; to be paid again: berth host paid bank",
    "details": "Write your tax details first: berth host tax",
    "account": "Connect a bank account first: berth host bank",
    "shut": "Your account cannot be paid to now.",
    "dispute": "A payment of yours by card is disputed; nothing is paid out until that is settled.",
    "audit": "The site found a disagreement in its books; payouts wait until that is cleared.",
    "little": "There is less than a payout moves.",
}


@app.command("earnings")
def earnings(*, as_json: AsJson = False) -> None:
    """Show what your machines earned today, in 7 days and in 30, after fees."""
    with session.client() as client:
        found = client.hosting.earnings()
    if as_json:
        output.write_json(found)
        return
    rows = [
        (
            output.short(line.machine_id) if line.machine_id else "credit",
            format_usd(line.today_microusd),
            format_usd(line.week_microusd),
            format_usd(line.month_microusd),
        )
        for line in found.machines
    ]
    columns = ("MACHINE", ">TODAY", ">7 DAYS", ">30 DAYS")
    output.table(columns, rows, empty="Nothing was earned in 30 days.")
    output.pairs(
        {
            "Not paid out": format_usd(found.balance_microusd),
            "Available": format_usd(found.available_microusd),
            "Too young": format_usd(found.young_microusd),
            "Reserve": format_usd(found.reserve_microusd),
        }
    )


@app.command("payouts")
def payouts(*, as_json: AsJson = False) -> None:
    """Show when you are paid next and how much, and every payout before."""
    with session.client() as client:
        found = client.hosting.payouts()
    if as_json:
        output.write_json(found)
        return
    rows = [
        (
            f"{line.week:%Y-%m-%d}",
            format_usd(line.amount_microusd),
            line.state,
            output.moment(line.settled_at),
            line.reason,
        )
        for line in found.items
    ]
    columns = ("WEEK OF", ">AMOUNT", "STATE", "SETTLED (UTC)", "~REASON")
    output.table(columns, rows, empty="Nothing was paid out yet.")
    output.say(_next(found))


@app.command("statement")
def statement(
    *,
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-11.")],
    as_json: AsJson = False,
) -> None:
    """Show what moved in your earnings in one month (UTC)."""
    with session.client() as client:
        found = client.hosting.statement(month)
    if as_json:
        output.write_json(found)
        return
    output.pairs(
        {
            "Brought forward": format_usd(found.opening_microusd),
            "Paid by renters": format_usd(found.earned_microusd + found.fee_microusd),
            "Fee": format_usd(-found.fee_microusd),
            "Given back": format_usd(-found.given_back_microusd),
            "Paid out": format_usd(-found.paid_out_microusd),
            "Balance": format_usd(found.closing_microusd),
        }
    )


@app.command("tax")
def tax(
    *,
    legal_name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The full legal name.")
    ] = None,
    country: Annotated[str | None, typer.Option(metavar="CC", help="Two letters: DE.")] = None,
    tax_id: Annotated[
        str | None,
        typer.Option("--number", metavar="NUMBER", help="Your tax number; asked for if left out."),
    ] = None,
    address: Annotated[str | None, typer.Option(metavar="TEXT", help="Lines parted by ;")] = None,
    as_json: AsJson = False,
) -> None:
    """Show who you are for the tax office, or write it: --name, --country and --address."""
    told = (legal_name, country, address)
    with session.client() as client:
        if legal_name and country and address:
            number = tax_id or typer.prompt("Tax number", hide_input=True, err=True)
            lines = "\n".join(line.strip() for line in address.split(";"))
            found = client.hosting.set_tax_details(
                legal_name=legal_name, country=country, tax_id=number, address=lines
            )
        elif any(told) or tax_id:
            raise typer.BadParameter("Name all of it: --name, --country and --address.")
        else:
            found = client.hosting.payout_details()
    _show_details(found, as_json=as_json)


@app.command("paid")
def paid(
    *,
    how: Annotated[
        Literal["bank", "chain"],
        typer.Argument(
            metavar="HOW", help="bank or chain: to your bank, or emission on chain only."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Be paid to your bank, or by emission on chain only, from the next Friday on."""
    with session.client() as client:
        found = client.hosting.choose_route("bank" if how == "bank" else "chain_only")
    _show_details(found, as_json=as_json)


@app.command("bank")
def bank(*, as_json: AsJson = False) -> None:
    """Get the address of the page that connects or changes your bank account."""
    with session.client() as client:
        url = client.hosting.connect_bank()
    if as_json:
        output.write_json({"url": url})
    else:
        output.say(f"Open this in a browser: {url}")


def _show_details(found: PayoutDetails, *, as_json: bool) -> None:
    if as_json:
        output.write_json(found)
        return
    rows = {
        "Paid": "by emission on chain only" if found.route == "chain_only" else "to your bank",
        "Legal name": found.legal_name,
        "Country": found.country,
        "Tax number": found.tax_id,
        "Address": found.address.replace("\n", "; "),
    }
    output.pairs({name: value or "-" for name, value in rows.items()})


def _next(found: Payouts) -> str:
    """Return one sentence about the next payout."""
    amount = format_usd(found.next_amount_microusd)
    told = f"Next on {found.next_at:%Y-%m-%d} (UTC): {amount}."
    why = OBSTACLES.get(found.obstacle, "")
    return " ".join(part for part in (told, why, found.account_reason) if part)
