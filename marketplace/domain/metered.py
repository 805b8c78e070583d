"""This will say what metered time costs where its price changes at moments of server time.

Decided in docs/decisions/0033-a-meters-price-may-change.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from marketplace.domain.intervals import Stretch
from marketplace.domain.money import MicroUsd, charge


class Change(Protocol):
    """A price of an hour that holds from a moment on."""

    at: datetime
    price_hour_microusd: int


class Held(Change, Protocol):
    """One that took hold."""

    former_price_hour_microusd: int | None


@dataclass(frozen=True, slots=True)
class Priced:
    """The price of the period that is counted now, and what all before it cost."""

    price_hour_microusd: int
    #: the proven milliseconds at which the period began
    from_ms: int = 0
    #: what those cost
    from_microusd: int = 0

    def cost(self, proven_ms: int) -> MicroUsd:
        """Return what ``proven_ms`` in all cost; they reach into this period.

        Each period is rounded down once, however often it is charged.
        """
        own = charge(self.price_hour_microusd, proven_ms - self.from_ms)
        return MicroUsd(self.from_microusd + own)


def counted(
    priced: Priced, changes: Sequence[Change], *, stretch: Stretch, proven_ms: int
) -> tuple[Priced, tuple[int, ...]]:
    """Return the price that holds at the end of a stretch, and where each change passed took hold.

    ``changes``: in order of their moments. Those that lie before the stretch's end are passed, the
    first of them first; each takes hold at as many proven milliseconds as are returned for it.
    ``proven_ms``: before the stretch.
    """
    passed: list[int] = []
    for change in changes:
        if change.at >= stretch.end:
            break
        before = Stretch(stretch.start, max(stretch.start, change.at))
        ms = proven_ms + before.ms
        priced = Priced(change.price_hour_microusd, ms, priced.cost(ms))
        passed.append(ms)
    return priced, tuple(passed)


def pieces(stretch: Stretch, changes: Sequence[Held]) -> tuple[tuple[int, int], ...]:
    """Return the price of an hour and the milliseconds of each piece of a counted stretch.

    ``changes``: all that took hold, at least one, in order.
    """
    found, start = [], stretch.start
    price = changes[0].former_price_hour_microusd or 0
    for change in changes:
        end = min(stretch.end, max(start, change.at))
        found.append((price, Stretch(start, end).ms))
        start, price = end, change.price_hour_microusd
    found.append((price, Stretch(start, stretch.end).ms))
    return tuple((price, ms) for price, ms in found if ms > 0)
