"""This will say where prices of one kind of machine lie, and what one of them would earn.

Decided in docs/decisions/0047-market-prices.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low

from marketplace.domain.matching import Slice
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.pricing import shares

#: fewer than these say nothing of a market
OFFERS_MIN, OFFERING_HOSTS_MIN = 5, 3
#: What renters pay is between them and their hosts: of fewer hosts it could be guessed whose it is.
PAID_HOSTS_MIN = 5
#: of what is paid, digits that are told
DIGITS = 2
DAYS, HOURS = 30, 24


@dataclass(frozen=True, slots=True)
class Spread:
    """Where prices of an hour of one unit lie, micro-USD: a tenth of them is no more than p10."""

    p10_microusd: int
    median_microusd: int
    p90_microusd: int
    #: how many prices, and of how many hosts
    prices: int
    hosts: int


def offered(
    *, prices: int, hosts: int, cuts_microusd: tuple[int | None, int | None, int | None]
) -> Spread | None:
    """Return the spread of what is offered; None: too few offer it.

    ``cuts_microusd``: their P10, median and P90; None: nothing is offered.
    """
    p10, median, p90 = cuts_microusd
    if prices < OFFERS_MIN or hosts < OFFERING_HOSTS_MIN:
        return None
    if p10 is None or median is None or p90 is None:
        return None
    return Spread(p10, median, p90, prices=prices, hosts=hosts)


def paid(units_microusd: Mapping[int, Iterable[int]]) -> Spread | None:
    """Return the spread of what is paid, of each host's prices; None: too few hosts are paid.

    Each host counts once, by the middle of its prices, so that no large one stands for all; and
    what comes out is rounded, so that nobody's price is told.
    """
    of_host = {host: sorted(prices) for host, prices in units_microusd.items()}
    middles = sorted(median_low(prices) for prices in of_host.values() if prices)
    if len(middles) < PAID_HOSTS_MIN:
        return None
    p10, median, p90 = (_rounded(_cut(middles, percent)) for percent in (10, 50, 90))
    prices = sum(len(prices) for prices in of_host.values())
    return Spread(p10, median, p90, prices=prices, hosts=len(middles))


def unit_price(price_hour_microusd: int, asked: Slice, *, total: Slice) -> MicroUsd | None:
    """Return what an hour of one GPU costs, or of one CPU where there is none, by a slice's price.

    None: nothing was asked for, so it says nothing of a unit.
    """
    share = max(shares(asked, total=total).values(), default=Fraction(0))
    units = total.gpus or total.cpus
    return MicroUsd(int(price_hour_microusd / (units * share))) if units and share else None


def earns(price_unit_microusd: int, *, units: int, occupancy_ppm: int, fee_ppm: int) -> MicroUsd:
    """Return what thirty days earn after the fee at this price, as much rented as now."""
    whole = price_unit_microusd * units * DAYS * HOURS
    return MicroUsd(whole * occupancy_ppm * (PPM - fee_ppm) // PPM**2)


def occupancy_ppm(used_ms: int, *, units: int, window_ms: int) -> int:
    """Return which part of a machine was rented and paid for, in millionths; never more than all.

    ``used_ms``: of each unit, added up.
    """
    whole = units * window_ms
    return min(PPM, used_ms * PPM // whole) if whole > 0 else 0


def _cut(rising: list[int], percent: int) -> int:
    """Return the smallest that is no smaller than so many of a hundred."""
    return rising[-(-len(rising) * percent // 100) - 1]


def _rounded(price_microusd: int) -> int:
    """Return it with its first two digits."""
    step: int = 10 ** max(0, len(str(price_microusd)) - DIGITS)
    return round(Fraction(price_microusd, step)) * step
