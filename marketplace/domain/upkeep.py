"""This will price what a rental costs beside its time: its disk while stopped, and its traffic.

Decided in docs/decisions/0033-a-meters-price-may-change.md.
"""

from marketplace.domain.money import MS_PER_HOUR, MicroUsd
from marketplace.domain.problem import Refused

#: a GB here is what networks and disks are sold by, not a GiB
GB = 10**9
MONTH_HOURS = 30 * 24
MONTH_MS = MONTH_HOURS * MS_PER_HOUR
#: of a GB: ten dollars
PRICE_GB_MICROUSD_MAX = 10_000_000
#: what a renter who names nothing pays for at most
TRAFFIC_BYTES_DEFAULT = 10 * GB


class TrafficOverCap(Refused):
    """The traffic that may be charged alone costs as much as the dollar cap."""

    code = "traffic_over_cap"
    status = 422
    sentence = "Your traffic alone may cost your whole dollar cap; allow less of it or raise that."


def storage_cost(price_month_microusd: int, disk_bytes: int, stopped_ms: int) -> MicroUsd:
    """Return what a disk costs that is kept so long, at a price for a GB and 30 days."""
    return MicroUsd(price_month_microusd * disk_bytes * stopped_ms // (GB * MONTH_MS))


def storage_price(price_month_microusd: int, disk_bytes: int, *, price_hour_microusd: int) -> int:
    """Return the host's price of a GB and 30 days, or less: stopped is never dearer than running.

    So the most that a rental can cost is what it costs if it runs all the time.
    """
    if not disk_bytes:
        return price_month_microusd
    return min(price_month_microusd, price_hour_microusd * MONTH_HOURS * GB // disk_bytes)


def traffic_cost(price_gb_microusd: int, traffic_bytes: int) -> MicroUsd:
    """Return what so many bytes cost, both ways together."""
    return MicroUsd(price_gb_microusd * traffic_bytes // GB)


def traffic_bytes(amount_microusd: int, price_gb_microusd: int) -> int:
    """Return how many bytes an amount pays for; where they cost nothing, none."""
    return amount_microusd * GB // price_gb_microusd if price_gb_microusd else 0
