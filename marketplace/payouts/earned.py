"""This will sum up what a host earned today, in seven days and in thirty, by machine and day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from marketplace.domain.money import MicroUsd
from marketplace.payouts.queries import earned_by_day, earned_by_machine

WEEK_DAYS = 7
MONTH_DAYS = 30
#: that are told of by themselves; a month's statement has all of them
MACHINES_MAX = 100


@dataclass(frozen=True, slots=True)
class Earned:
    """Earnings after fees of some days, today's (UTC) included."""

    today_microusd: int
    week_microusd: int
    month_microusd: int


@dataclass(frozen=True, slots=True)
class Summary:
    total: Earned
    #: those that earned most in thirty days, most first, ``MACHINES_MAX`` of them; None: no machine
    by_machine: Mapping[UUID | None, Earned]
    #: every day of the thirty, oldest first
    by_day: Mapping[date, int]


def earned(host_id: int, *, now: datetime) -> Summary:
    """Return what the host earned in the last thirty days."""
    today = now.astimezone(UTC).date()
    month, week = (today - timedelta(days=days - 1) for days in (MONTH_DAYS, WEEK_DAYS))
    found = earned_by_machine(host_id, month=month, week=week, today=today, most=MACHINES_MAX)
    sums = earned_by_day(host_id, since=month)
    by_day = {
        day: sums.get(day, MicroUsd(0))
        for day in (month + timedelta(days=number) for number in range(MONTH_DAYS))
    }
    total = Earned(
        today_microusd=by_day[today],
        week_microusd=sum(sum_ for day, sum_ in by_day.items() if day >= week),
        month_microusd=sum(by_day.values()),
    )
    by_machine = {
        one.machine_id: Earned(one.today_microusd, one.week_microusd, one.month_microusd)
        for one in found
    }
    return Summary(total, by_machine, by_day)
