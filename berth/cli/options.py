"""This will define the options that several commands share."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from berth.cli.completing import rentals_beginning
from berth.units import UnitMalformed, parse_duration, parse_share, parse_size, parse_usd


def _typed(parse: Callable[[str], int]) -> Callable[[str | int], int]:
    """Return ``parse`` as an option takes it: defaults are numbers already."""

    def read(value: str | int) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse(value)
        except UnitMalformed as error:
            raise typer.BadParameter(str(error)) from error

    return read


def _traffic(text: str) -> int:
    """Return bytes: a bare number is of GB, as prices of traffic are."""
    return parse_size(f"{text}GB" if text.strip().replace(".", "", 1).isdigit() else text)


size = _typed(parse_size)
traffic_size = _typed(_traffic)
duration = _typed(parse_duration)
usd = _typed(parse_usd)
usd_or_nothing = _typed(partial(parse_usd, microusd_min=0))
share = _typed(parse_share)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, problems to stderr.")]
RentalId = Annotated[
    str,
    typer.Argument(
        metavar="RENTAL",
        help="Its id, how the id begins, or its name.",
        autocompletion=rentals_beginning,
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Return only when it is done.")]
Timeout = Annotated[
    int,
    typer.Option(
        "--timeout", parser=duration, metavar="DURATION", show_default="10m", help="Wait so long."
    ),
]
Lease = Annotated[
    int | None,
    typer.Option(
        "--lease", "--ttl", parser=duration, metavar="DURATION", help="Ends after: 90m, 1h30m."
    ),
]
Cap = Annotated[
    int | None,
    typer.Option(
        "--cap", "--max-cost", parser=usd, metavar="USD", help="Ends before it costs more: 2.50."
    ),
]
IdleStop = Annotated[
    int | None,
    typer.Option(parser=duration, metavar="DURATION", help="Stop it, files kept, idle so long."),
]
IdleBelow = Annotated[
    int | None,
    typer.Option(min=1, max=100, metavar="PERCENT", help="Idle is below this use; 5 if left out."),
]
TIMEOUT_S = 600
