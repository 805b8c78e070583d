"""This will be the ``berth`` command: its groups, and what every failure looks like.

Exit codes: 0 done, 1 refused, 2 typed wrongly, 3 the marketplace cannot be reached, 130 stopped.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from berth.cli import (
    bill,
    cards,
    change,
    doctor,
    endpoints,
    host,
    hotkey,
    inside,
    invoices,
    jobs,
    keys,
    login,
    logs,
    money,
    notices,
    offers,
    output,
    prices,
    prove,
    receipts,
    rentals,
    session,
    ssh,
    team,
    teams,
    templates,
    up,
    usage,
    volumes,
)
from berth.problem import CannotReach, Refused

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_CANNOT_REACH = 3
EXIT_STOPPED = 130


class Berth(TyperGroup):
    """Maps every expected failure to one sentence, or one JSON problem, and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - the signature of the framework
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,
    ) -> Any:
        """Run the command line and leave with its exit code."""
        arguments, as_json = json_last(list(sys.argv[1:] if args is None else args))
        try:
            code = super().main(
                arguments, prog_name or "berth", complete_var, standalone_mode=False, **extra
            )
        except Refused as error:
            output.write_problem(error.code, error.sentence, error.status, as_json=as_json)
            sys.exit(EXIT_REFUSED)
        except CannotReach as error:
            output.write_problem(error.code, error.sentence, 0, as_json=as_json)
            sys.exit(EXIT_CANNOT_REACH)
        except typer.TyperException as error:
            if not arguments:
                typer.echo(error.format_message(), err=True)
                sys.exit(EXIT_USAGE)
            output.write_problem("usage", error.format_message(), 0, as_json=as_json)
            sys.exit(EXIT_USAGE)
        except typer.Abort:
            sys.exit(EXIT_STOPPED)
        sys.exit(code if isinstance(code, int) else 0)


def json_last(arguments: list[str]) -> tuple[list[str], bool]:
    """Return the arguments with ``--json`` behind its command, and whether it was there at all.

    So it may stand anywhere before a ``--``, as people expect of an option of every command.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    typed = [word for word in arguments[:end] if word != "--json"]
    if len(typed) == end:
        return arguments, False
    return [*typed, "--json", *arguments[end:]], True


app = typer.Typer(
    cls=Berth,
    name="berth",
    help="Rent GPUs and machines from a Berth marketplace.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - the signature of the framework
    if wanted:
        output.say(f"berth {version('berth')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
]


Team = Annotated[
    str,
    typer.Option(
        "--team", envvar="BERTH_TEAM", metavar="TEAM", help="Act for this team: its number or name."
    ),
]


@app.callback()
def berth(*, team: Team = "", _version_asked: Version = False) -> None:
    """Rent GPUs and machines from a Berth marketplace."""
    session.act_for(team.strip())


app.command("login")(login.login)
app.command("offers")(offers.offers)
app.command("up")(up.up)
app.command("ps")(rentals.ps)
app.command("usage")(usage.usage)
app.command("logs")(logs.logs)
app.command("ssh")(ssh.ssh)
app.command("exec")(inside.execute)
app.command("cp")(inside.copy)
app.command("prove")(prove.prove)
app.command("stop")(change.stop)
app.command("start")(change.start)
app.command("restart")(change.restart)
app.command("reset")(change.reset)
app.command("change")(change.change)
app.command("end")(rentals.end)
app.command("bid")(rentals.bid)
app.command("accept")(prices.accept)
app.command("decline")(prices.decline)
app.command("traffic")(prices.traffic)
app.command("idle")(change.idle)
app.command("extend")(rentals.extend)
app.command("rm")(rentals.rm)
app.add_typer(templates.app, name="templates")
app.add_typer(volumes.app, name="volumes")
app.add_typer(jobs.app, name="jobs")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(keys.app, name="keys")
app.command("teams")(teams.teams)
app.add_typer(team.app, name="team")
app.command("balance")(money.balance)
app.command("statement")(money.statement)
app.command("topup")(money.topup)
app.command("topups")(cards.topups)
app.command("autopay")(cards.autopay)
app.add_typer(cards.cards, name="card")
app.command("invoices")(invoices.invoices)
app.command("billing")(invoices.billing)
app.command("limits")(money.limits)
app.command("notices")(notices.notices)
app.add_typer(notices.letters, name="letters")
app.add_typer(notices.hooks, name="hooks")
app.command("bill")(bill.bill)
app.command("receipts")(receipts.receipts)
app.command("verify-receipt")(receipts.verify_receipt)
app.add_typer(host.app, name="host")
app.command("hotkey")(hotkey.hotkey)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run ``berth`` with this process's arguments."""
    app()
