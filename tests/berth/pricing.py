"""This will price what the fake marketplace rents out: by the largest share of the machine."""

from collections.abc import Mapping
from typing import Any

#: how an offer says how much of each it has, and a search how much it wants
PARTS = {"cpus_free": "cpus_min", "ram_bytes_free": "ram_bytes_min"}
PARTS |= {"disk_bytes_free": "disk_bytes_min"}


def price_hour(one: Mapping[str, Any], asked: Mapping[str, Any]) -> int | None:
    """Return what an hour of these amounts costs, in micro-USD; None: no amount is named.

    Source: docs/decisions/0007-price-by-the-largest-share.md; what is free is the whole machine.
    """
    shares = [(int(asked[wanted]), one[has]) for has, wanted in PARTS.items() if wanted in asked]
    whole = one["cpus_free"] * one["price_cpu_hour_microusd"]
    return max((-(-whole * amount // total) for amount, total in shares), default=None)


def price_of(one: Mapping[str, Any], resources: Mapping[str, Any]) -> int:
    """Return what an hour of these resources costs, in micro-USD."""
    asked = {
        "cpus_min": resources["cpu"]["count"],
        "ram_bytes_min": resources["ram"]["capacity"],
        "disk_bytes_min": resources["hard_disk"]["capacity"],
    }
    return price_hour(one, asked) or 0


def quote(one: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rental of the offer would cost, as the API says it."""
    before = price = price_of(one, asked["resources"])
    days = (asked["lease_s"] or 0) // 86_400 if asked["price_type"] == "reserved" else 0
    steps = [step["discount_ppm"] for step in one.get("discounts", ()) if step["days"] <= days]
    off = max(steps, default=0)
    price = price * (1_000_000 - off) // 1_000_000
    gigabytes = (asked["traffic_bytes_max"] or 10**10) // 10**9
    traffic = gigabytes * one.get("network_price_microusd", 0)
    totals = [
        min(each * asked["lease_s"] // 3600 + traffic, asked["cap_microusd"] or 10**15)
        if asked["lease_s"]
        else asked["cap_microusd"]
        for each in (price, before)
    ]
    return {
        "price_type": asked["price_type"] or "on_demand",
        "price_hour_microusd": asked["bid_microusd"] or price,
        "discount_ppm": off,
        "worst_total_microusd": totals[0],
        "on_demand_total_microusd": totals[1],
        "traffic_microusd_max": traffic,
    }
