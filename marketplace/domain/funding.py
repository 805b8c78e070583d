"""This will say what is set aside for a rental that is paid an hour ahead, and how long that lasts.

Decided in docs/decisions/0041-an-hour-ahead.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.domain.door import Door
from marketplace.domain.metered import Priced
from marketplace.domain.money import MS_PER_HOUR, MicroUsd, charge
from marketplace.domain.pricing import MS_MAX, affordable_ms


class Funding(StrEnum):
    """How much of what a rental may cost is set aside at its start."""

    #: all of it
    WHOLE = "whole"
    #: an hour, which is renewed from the wallet while it runs
    ROLLING = "rolling"


#: what is set aside ahead; it is renewed once no more than the half of it is left
AHEAD_MS, RENEWED_MS = MS_PER_HOUR, MS_PER_HOUR // 2
#: where the balance does not cover that, a half is tried, and so on; less than this is left alone
PART_MS_MIN = 60_000
#: it is stopped with so much left: its machine ends a container no faster
STOPPED_MS = 5_000
#: how long its files are kept without money, and how much of their storage is always set aside
KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a rental cost so far, and what more of it will cost at most."""

    #: of what is proven
    priced: Priced
    #: the highest of its prices of an hour, now and later
    dearest_microusd: int
    proven_ms: int
    #: that passed and may be proven yet
    uncounted_ms: int
    #: all that its traffic may cost, its disk so far, and its disk while it has no money
    beside_microusd: int

    def needed(self, ahead_ms: int) -> MicroUsd:
        """Return what has to be set aside in all, so that it may run so much longer."""
        ms = self.uncounted_ms + ahead_ms
        if self.dearest_microusd == self.priced.price_hour_microusd:
            time = self.priced.cost(self.proven_ms + ms)
        else:
            # Each price is rounded by itself: together no more than a micro-USD below the sum.
            more = charge(self.dearest_microusd, ms) + 1
            time = MicroUsd(self.priced.cost(self.proven_ms) + more)
        return MicroUsd(time + self.beside_microusd)

    def paid_ms(self, held_microusd: int) -> int:
        """Return the most milliseconds that may ever count, where so much was set aside in all."""
        left = held_microusd - self.beside_microusd
        if self.dearest_microusd == self.priced.price_hour_microusd:
            own = max(0, left - self.priced.from_microusd)
            more = affordable_ms(self.dearest_microusd, own, at_most_ms=MS_MAX)
            return max(self.proven_ms, self.priced.from_ms + more)
        own = max(0, left - self.priced.cost(self.proven_ms) - 1)
        return self.proven_ms + affordable_ms(self.dearest_microusd, own, at_most_ms=MS_MAX)

    def left_ms(self, held_microusd: int) -> int:
        """Return how much longer it may run, if all that passed counts; 0: no longer."""
        return max(0, self.paid_ms(held_microusd) - self.proven_ms - self.uncounted_ms)


def uncounted_ms(
    door: Door | None,
    *,
    proven_until: datetime | None,
    stop_requested_at: datetime | None,
    now: datetime,
) -> int:
    """Return the milliseconds of a run that a later look or interval may still prove."""
    if door is None:
        return 0
    ends = [now if door.missed_at is None else door.seen_at]
    ends += [stop_requested_at] if stop_requested_at is not None else []
    since = max(door.open_since, proven_until or door.open_since)
    return max(0, (min(ends) - since) // timedelta(milliseconds=1))


def parts(ahead_ms: int, *, left_ms: int) -> tuple[int, ...]:
    """Return the milliseconds that it is tried to pay for beyond those that are left: all, then
    each time a half.

    Whoever pays for the first that the balance covers, and for each after it, leaves less than two
    minutes' money unused. While more is left than is renewed at: none.
    """
    missing = 0 if left_ms > RENEWED_MS else ahead_ms - left_ms
    found = [missing] if missing > 0 else []
    while found and found[-1] // 2 >= PART_MS_MIN:
        found.append(found[-1] // 2)
    return tuple(found)
