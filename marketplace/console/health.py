"""This will say of each pass of the schedule when it last ended, and whether that is too long ago.

A pass behind its bound is the first sign of nearly everything: a worker that is gone, a queue that
nobody serves, a database that is too slow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.oversight.models import PassRun
from marketplace.oversight.pass_runs import EVERY_S
from marketplace.schedule import PASSES, Pass

#: beyond its period and its limit, as a run is noted a little later than it ends
GRACE_S = 2 * EVERY_S + 30
#: a pass that comes more rarely need not have run yet on a new site
SOON_S = 60


class Health(StrEnum):
    """How a pass does, the worst first."""

    LATE = "late"
    FAILING = "failing"
    SLOW = "slow"
    NOT_YET = "not yet"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class PassHealth:
    entry: Pass
    health: Health
    #: None: it never went well
    ended_at: datetime | None
    took_ms: int | None
    #: how long ago that was beyond its period; zero: it is on time, or never ran
    behind: timedelta


def passes(*, now: datetime, schedule: Iterable[Pass] = PASSES) -> tuple[PassHealth, ...]:
    """Return how each pass does, the worst first; one query."""
    runs = PassRun.objects.in_bulk()
    found = [_of(entry, runs.get(entry.name), now) for entry in schedule]
    order = list(Health)
    return tuple(sorted(found, key=lambda one: (order.index(one.health), one.entry.name)))


def _of(entry: Pass, run: PassRun | None, now: datetime) -> PassHealth:
    ended_at = None if run is None else run.ended_at
    age = timedelta(0) if ended_at is None else now - ended_at
    behind = max(timedelta(0), age - timedelta(seconds=entry.every_s))
    return PassHealth(
        entry=entry,
        health=_health(entry, run, behind),
        ended_at=ended_at,
        took_ms=None if run is None else run.took_ms,
        behind=timedelta(0) if ended_at is None else behind,
    )


def _health(entry: Pass, run: PassRun | None, behind: timedelta) -> Health:
    if run is None:
        return Health.LATE if entry.every_s <= SOON_S else Health.NOT_YET
    if run.failing:
        return Health.FAILING
    if behind > timedelta(seconds=entry.limit_s + GRACE_S):
        return Health.LATE
    too_long = run.took_ms is not None and run.took_ms > entry.limit_s * 1000
    return Health.SLOW if too_long else Health.WELL
