"""This will show a person's card and payments, and set the rule by which it is asked."""

from typing import Annotated

import typer

from berth.cards import Rule
from berth.cli import output, session
from berth.cli.options import AsJson, usd
from berth.problem import Refused
from berth.units import format_usd

cards = typer.Typer(help="The card that money is added from.", no_args_is_help=False)
Below = Annotated[
    int | None, typer.Option(parser=usd, metavar="USD", help="When your balance is below this.")
]
Add = Annotated[int | None, typer.Option(parser=usd, metavar="USD", help="So much each time.")]
Month = Annotated[
    int | None, typer.Option(parser=usd, metavar="USD", help="No more than this in a month (UTC).")
]


@cards.callback(invoke_without_command=True)
def callback(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show which card is saved, or save or forget one."""
    if context.invoked_subcommand is None:
        show(as_json=as_json)


@cards.command("show")
def show(*, as_json: AsJson = False) -> None:
    """Show which card is saved."""
    with session.client() as client:
        saved = client.cards.saved()
    if as_json:
        output.write_json({"card": saved})
    else:
        output.say(saved or "No card is saved. Save one: berth card save")


@cards.command("save")
def save(*, as_json: AsJson = False) -> None:
    """Get the address of a page that saves a card. No card number is ever typed here."""
    with session.client() as client:
        url = client.cards.save()
    if as_json:
        output.write_json({"url": url})
    else:
        output.say(f"Open this in a browser: {url}")


@cards.command("rm")
def rm(*, as_json: AsJson = False) -> None:
    """Have your card forgotten, here and at the card processor."""
    with session.client() as client:
        client.cards.remove()
    if as_json:
        output.write_json({"card": ""})
    else:
        output.say("No card is saved any more.")


def topups(*, as_json: AsJson = False) -> None:
    """List your newest payments and what became of each."""
    with session.client() as client:
        found = client.cards.payments()
    if as_json:
        output.write_json({"items": found})
        return
    rows = [
        (
            output.moment(one.created_at),
            format_usd(one.amount_microusd),
            one.state,
            "by rule" if one.automatic else "",
            f"Confirm it: {one.confirm_url}" if one.confirm_url else one.reason or "",
        )
        for one in found
    ]
    columns = ("AT (UTC)", ">AMOUNT", "STATE", "ASKED", "~REASON")
    output.table(columns, rows, empty="You have added nothing yet. Add money: berth topup 25")


def autopay(
    *,
    below: Below = None,
    add: Add = None,
    month: Month = None,
    off: Annotated[bool, typer.Option("--off", help="Ask my card no more by itself.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show by which rule your card is asked without you, or set it: --below, --add and --month."""
    told = [amount for amount in (below, add, month) if amount is not None]
    if len(told) not in (0, 3) or (told and off):
        raise typer.BadParameter("Name all three: --below 5 --add 20 --month 50. Or say --off.")
    with session.client() as client:
        if off:
            client.cards.remove_rule()
        if below is not None and add is not None and month is not None:
            client.cards.set_rule(
                threshold_microusd=below, amount_microusd=add, month_microusd_max=month
            )
        rule: Rule | None = None
        try:
            rule = client.cards.rule()
        except Refused as error:
            if error.code != "not_found":
                raise
    if as_json:
        output.write_json(rule or {"is_on": False})
    else:
        output.say(_sentence(rule))


def _sentence(rule: Rule | None) -> str:
    if rule is None:
        return "Your card is never asked by itself."
    below, added = format_usd(rule.threshold_microusd), format_usd(rule.amount_microusd)
    most = format_usd(rule.month_microusd_max)
    if not rule.is_on:
        return f"It is off. {rule.off_because}".rstrip()
    return f"Below {below} your card is asked for {added}, at most {most} in a month of UTC."
