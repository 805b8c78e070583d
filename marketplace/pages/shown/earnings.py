"""This will prepare a host's earnings: sums, a line for each machine, and a bar for each day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from marketplace.domain.money import format_usd
from marketplace.domain.payout import Available
from marketplace.pages.wording import balance_in_brief
from marketplace.payouts.earned import Earned, Summary
from marketplace.payouts.statements import MonthStatement

BAR_WIDTH = 20
BAR_GAP = 4
CHART_HEIGHT = 120
#: of a day on which something was earned, however little
BAR_HEIGHT_MIN = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One day as a rectangle."""

    x: int
    y: int
    width: int
    height: int
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    height: int
    bars: tuple[Bar, ...]
    most: str
    first: str
    last: str
    #: what somebody who sees no picture is told
    summary: str


@dataclass(frozen=True, slots=True)
class EarnedLine:
    machine: str
    today: str
    week: str
    month: str


@dataclass(frozen=True, slots=True)
class EarningsPage:
    balance: str
    available: str
    today: str
    week: str
    month: str
    machines: tuple[EarnedLine, ...]
    chart: Chart


@dataclass(frozen=True, slots=True)
class StatementLine:
    day: str
    what: str
    rent: str
    fee: str
    amount: str


def page(found: Summary, present: Available) -> EarningsPage:
    """Return what the page shows."""
    total = _line("", found.total)
    return EarningsPage(
        balance=format_usd(present.balance_microusd),
        available=format_usd(present.available_microusd),
        today=total.today,
        week=total.week,
        month=total.month,
        machines=tuple(_line(_name(one), sums) for one, sums in found.by_machine.items()),
        chart=chart(found.by_day),
    )


def chart(by_day: Mapping[date, int]) -> Chart:
    """Return a bar for each day, as high as what was earned on it."""
    most = max(by_day.values(), default=0)
    bars = tuple(
        _bar(number, day, earned, most) for number, (day, earned) in enumerate(by_day.items())
    )
    best = max(by_day, key=lambda day: by_day[day], default=None)
    return Chart(
        width=BAR_WIDTH * len(bars),
        height=CHART_HEIGHT,
        bars=bars,
        most=balance_in_brief(most),
        first=_day(min(by_day)) if by_day else "",
        last=_day(max(by_day)) if by_day else "",
        summary=f"Earned on each of the last {len(bars)} days"
        + (f"; most on {_day(best)}: {format_usd(most)}." if best and most else "; nothing yet."),
    )


def lines(found: MonthStatement) -> tuple[StatementLine, ...]:
    """Return the statement's days."""
    return tuple(
        StatementLine(
            day=_day(day.day),
            what=_name(day.machine_id),
            rent=format_usd(day.microusd + day.fee_microusd),
            fee=format_usd(-day.fee_microusd),
            amount=format_usd(day.microusd),
        )
        for day in found.days
    )


def _bar(number: int, day: date, earned: int, most: int) -> Bar:
    height = max(BAR_HEIGHT_MIN, earned * CHART_HEIGHT // most) if earned > 0 else 0
    return Bar(
        x=number * BAR_WIDTH,
        y=CHART_HEIGHT - height,
        width=BAR_WIDTH - BAR_GAP,
        height=height,
        title=f"{_day(day)}: {format_usd(earned)}",
    )


def _line(name: str, sums: Earned) -> EarnedLine:
    return EarnedLine(
        machine=name,
        today=format_usd(sums.today_microusd),
        week=format_usd(sums.week_microusd),
        month=format_usd(sums.month_microusd),
    )


def _name(machine_id: UUID | None) -> str:
    return str(machine_id)[:8] if machine_id else "Credit"


def _day(day: date) -> str:
    return f"{day:%-d %b %Y}"
