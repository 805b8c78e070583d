"""This will sum up what a host earned today, in seven days and in thirty, by machine and day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from marketplace.payouts.queries import EarnedDay, earned_days

WEEK_DAYS = 7
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Earned:
    """Earnings after fees of some days, today's (UTC) included."""

    today_microusd: int
    week_microusd: int
    month_microusd: int


@dataclass(frozen=True, slots=True)
class Summary:
    total: Earned
    #: who earned most comes first; None: no machine
    by_machine: Mapping[UUID | None, Earned]
    #: every day of the thirty, oldest first
    by_day: Mapping[date, int]


def earned(host_id: int, *, now: datetime) -> Summary:
    """Return what the host earned in the last thirty days."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=MONTH_DAYS - 1)
    days = earned_days(host_id, since=datetime.combine(first, time(), tzinfo=UTC))
    machines = {day.machine_id for day in days}
    sums = {one: _sum((day for day in days if day.machine_id == one), today) for one in machines}
    by_day = {first + timedelta(days=number): 0 for number in range(MONTH_DAYS)}
    for day in days:
        by_day[day.day] = by_day.get(day.day, 0) + day.microusd
    order = sorted(machines, key=lambda one: (-sums[one].month_microusd, str(one)))
    return Summary(_sum(days, today), {one: sums[one] for one in order}, by_day)


def _sum(days: Iterable[EarnedDay], today: date) -> Earned:
    ages = [((today - day.day).days, day.microusd) for day in days]
    return Earned(
        today_microusd=sum(sum_ for age, sum_ in ages if age < 1),
        week_microusd=sum(sum_ for age, sum_ in ages if age < WEEK_DAYS),
        month_microusd=sum(sum_ for age, sum_ in ages if age < MONTH_DAYS),
    )
