"""This will be the ``berth`` command: its groups, and what every failure looks like.

Exit codes: 0 done, 1 refused, 2 typed wrongly, 3 the marketplace cannot be reached, 130 stopped.
"""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from berth.cli import (
    api_keys,
    bill,
    cards,
    change,
    doctor,
    endpoints,
    events,
    helping,
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
    report,
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
#: what to type where the marketplace refuses with such a code, for whom it was refused
NEXT = {"card_needed": "Run: berth{team} card save"}


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
        # Not sooner: Typer adds the options of shell completion last.
        helping.reword(self)
        arguments, as_json = json_last(list(sys.argv[1:] if args is None else args))
        try:
            code = super().main(
                arguments, prog_name or "berth", complete_var, standalone_mode=False, **extra
            )
        except Refused as error:
            sentence = f"{error.sentence} {_next(error.code, arguments)}".rstrip()
            output.write_problem(error.code, sentence, error.status, as_json=as_json)
            sys.exit(EXIT_REFUSED)
        except CannotReach as error:
            output.write_problem(error.code, error.sentence, 0, as_json=as_json)
            sys.exit(EXIT_CANNOT_REACH)
        except typer.TyperException as error:
            if not arguments:
                typer.echo(error.format_message(), err=True)
                sys.exit(EXIT_USAGE)
            # A group without a command has shown its help already.
            if as_json or error.format_message():
                output.write_problem("usage", error.format_message(), 0, as_json=as_json)
            sys.exit(EXIT_USAGE)
        except typer.Abort:
            sys.exit(EXIT_STOPPED)
        sys.exit(code if isinstance(code, int) else 0)


def _next(code: str, arguments: Sequence[str]) -> str:
    named = zip(arguments, [*arguments[1:], ""], strict=True)
    teams = [
        after if word == "--team" else word.removeprefix("--team=")
        for word, after in named
        if word.partition("=")[0] == "--team"
    ]
    team = f" --team {shlex.quote(teams[0])}" if teams and teams[0] else ""
    return NEXT.get(code, "").format(team=team)


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


#: what ``berth --help`` shows together, in order; a group of commands is an app of its own
PANELS: Mapping[str, Mapping[str, typer.Typer | Callable[..., None]]] = {
    "Rent": {
        "offers": offers.offers,
        "up": up.up,
        "ps": rentals.ps,
        "rename": rentals.rename,
        "stop": change.stop,
        "start": change.start,
        "restart": change.restart,
        "reset": change.reset,
        "change": change.change,
        "extend": rentals.extend,
        "end": rentals.end,
        "rm": rentals.rm,
        "idle": change.idle,
        "traffic": prices.traffic,
        "bid": rentals.bid,
        "accept": prices.accept,
        "decline": prices.decline,
    },
    "Use what you rented": {
        "ssh": ssh.ssh,
        "exec": inside.execute,
        "cp": inside.copy,
        "logs": logs.logs,
        "usage": usage.usage,
        "events": events.events,
        "prove": prove.prove,
    },
    "Keep and automate": {
        "templates": templates.app,
        "volumes": volumes.app,
        "jobs": jobs.app,
        "endpoints": endpoints.app,
    },
    "Money and proof": {
        "balance": money.balance,
        "topup": money.topup,
        "topups": cards.topups,
        "card": cards.cards,
        "autopay": cards.autopay,
        "limits": money.limits,
        "bill": bill.bill,
        "report": report.report,
        "reports": report.reports,
        "statement": money.statement,
        "invoices": invoices.invoices,
        "billing": invoices.billing,
        "receipts": receipts.receipts,
        "verify-receipt": receipts.verify_receipt,
    },
    "Account": {
        "login": login.login,
        "logout": api_keys.logout,
        "doctor": doctor.doctor,
        "keys": keys.app,
        "api-keys": api_keys.app,
        "teams": teams.teams,
        "team": team.app,
        "notices": notices.notices,
        "letters": notices.letters,
        "hooks": notices.hooks,
    },
    "Host": {
        "host": host.app,
        "hotkey": hotkey.hotkey,
    },
}
for _panel, _commands in PANELS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_command)


def main() -> None:
    """Run ``berth`` with this process's arguments."""
    app()
