"""This will reckon up what things cost, in words that a person can follow with a calculator."""

from collections.abc import Iterator, Mapping
from typing import Any

from berth.units import format_usd

HOUR_MS = 3_600_000


class DoesNotAddUp(Exception):
    """A bill is not what its own lines make it."""


def reckoned(price_hour_microusd: int, ms: int) -> str:
    """Return how a price and a time make an amount, rounded down to a micro-dollar."""
    price, cost = format_usd(price_hour_microusd), price_hour_microusd * ms // HOUR_MS
    product = f"{price.removeprefix('$')} x {ms / 1000:.3f} / 3600"
    return f"{seconds(ms)} at {price} an hour: {product} = {format_usd(cost)}"


def seconds(ms: int) -> str:
    """Return milliseconds as seconds, exactly."""
    return f"{ms / 1000:.3f} s"


def bill_lines(bill: Mapping[str, Any], *, cost_microusd: int) -> Iterator[str]:
    """Yield a bill line by line, after reckoning it up.

    :raises DoesNotAddUp: when its times, or its amounts, are not the whole.
    """
    for period in bill["periods"]:
        yield reckoned(period["price_hour_microusd"], period["ms"])
    for one in bill["unbilled"]:
        yield f"{seconds(one['ms'])} not charged: {one['sentence']}"
    unbilled = sum(one["ms"] for one in bill["unbilled"]) + bill["rounded_ms"]
    billed, total = bill["billed_ms"], bill["total_ms"]
    costs = [each["price_hour_microusd"] * each["ms"] // HOUR_MS for each in bill["periods"]]
    if billed + unbilled != total or sum(each["ms"] for each in bill["periods"]) != billed:
        raise DoesNotAddUp(f"{billed} ms and {unbilled} ms are not {total} ms")
    if sum(costs) != bill["total_microusd"] or bill["total_microusd"] != cost_microusd:
        raise DoesNotAddUp(f"{costs} micro-USD are not {cost_microusd}")
    yield f"{seconds(billed)} + {seconds(unbilled)} = {seconds(total)}: all its time"
    yield f"it cost {format_usd(cost_microusd)}"
