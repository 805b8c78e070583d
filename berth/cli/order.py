"""This will read an order of offers as Vast.ai's command takes it: ``dlperf_usd-``, ``dph+``."""

import re
from collections.abc import Mapping
from typing import Literal

import typer

Sort = Literal["price", "value", "reliability", "start"]
#: fields, and whether the best of them is the highest
ORDERS: Mapping[str, tuple[Sort, bool]] = {
    **dict.fromkeys(("dph", "dph_total", "price"), ("price", False)),
    **dict.fromkeys(
        ("dlperf_usd", "dlperf_per_dphtotal", "flops_usd", "flops_per_dphtotal", "value"),
        ("value", True),
    ),
    **dict.fromkeys(("reliability", "reliability2"), ("reliability", True)),
    **dict.fromkeys(("start_time", "start"), ("start", False)),
}
FIELD = re.compile(r"(?P<name>[a-z0-9_]+)(?P<way>[-+]?)")
SAID = "Offers are sorted best first, by one of price, value, reliability and start: --sort value."


def order(text: str) -> Sort:
    """Return the sort that an order means: a field, with ``-`` where the highest comes first."""
    if text in ("value", "price", "reliability", "start"):
        return ORDERS[text][0]
    match = FIELD.fullmatch(text.strip().lower())
    known = ORDERS.get(match["name"]) if match else None
    if match is None or known is None:
        raise typer.BadParameter(f"{text!r} is no order here. {SAID}")
    sort, highest_first = known
    if (match["way"] == "-") != highest_first:
        best = f"{match['name']}{'-' if highest_first else ''}"
        raise typer.BadParameter(f"{text!r} would begin with the worst. Write {best}. {SAID}")
    return sort
