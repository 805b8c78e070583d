"""This will put what the ledger charged into lines that add up to it, to the micro-dollar."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from marketplace.domain.money import MS_PER_HOUR, MicroUsd, charge, format_usd

#: what is beyond so many is one line
LINES_MAX = 2000
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a paper."""

    text: str
    #: such as ``0.7213 h at $0.427/h``; empty: it is no time
    quantity: str
    microusd: MicroUsd


@dataclass(frozen=True, slots=True)
class Period:
    """One price of an hour, for the proven milliseconds from ``from_ms`` up to the next one's."""

    from_ms: int
    price_hour_microusd: int


def timed_lines(
    text: str, periods: Sequence[Period], *, since_ms: int, until_ms: int, charged: MicroUsd
) -> Iterator[Line]:
    """Yield one line for each price that held in [since_ms, until_ms), adding up to ``charged``.

    Each line is what the time from the start of its period costs up to its end, less what was
    charged of that period before: rounded down once a period, as the meter does. What is left over,
    such as the difference of a re-rated reservation, is a line of its own.
    """
    left = charged
    for period, end_ms in _ends(periods, until_ms):
        first, last = max(period.from_ms, since_ms), min(end_ms, until_ms)
        if last <= first:
            continue
        cost = charge(period.price_hour_microusd, last - period.from_ms)
        cost = MicroUsd(cost - charge(period.price_hour_microusd, first - period.from_ms))
        left = MicroUsd(left - cost)
        yield Line(text, at_price(last - first, period.price_hour_microusd), cost)
    if left:
        yield Line(f"{text}: difference to the price at which its time was charged", "", left)


def at_price(ms: int, price_hour_microusd: int) -> str:
    """Return ``0.7213 h at $0.427/h``: its hours are rounded, the amount beside them is not."""
    parts = (ms * 10_000 * 2 + MS_PER_HOUR) // (MS_PER_HOUR * 2)
    return f"{parts // 10_000}.{parts % 10_000:04d} h at {per_hour(price_hour_microusd)}"


def per_hour(price_hour_microusd: int) -> str:
    """Return ``$0.427/h``."""
    return f"{format_usd(price_hour_microusd)}/h"


def total(lines: Iterable[Line]) -> MicroUsd:
    """Return what the lines add up to."""
    return MicroUsd(sum(line.microusd for line in lines))


def bounded(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return at most LINES_MAX lines with the same total."""
    if len(lines) <= LINES_MAX:
        return tuple(lines)
    rest = lines[LINES_MAX - 1 :]
    return (*lines[: LINES_MAX - 1], Line(f"{len(rest)} more lines", "", total(rest)))


def opposite(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines that take these back."""
    return tuple(Line(line.text, line.quantity, MicroUsd(-line.microusd)) for line in lines)


def month_of(at: datetime) -> datetime:
    """Return the first moment of the month (UTC)."""
    at = at.astimezone(UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(month: datetime) -> datetime:
    """Return the first moment of the month after this first moment of one."""
    years, index = divmod(month.month, MONTHS)
    return month.replace(year=month.year + years, month=index + 1)


def _ends(periods: Sequence[Period], until_ms: int) -> Iterator[tuple[Period, int]]:
    for number, period in enumerate(periods):
        following = periods[number + 1].from_ms if number + 1 < len(periods) else until_ms
        yield period, following
