"""This will note that a part of the marketplace is there, and tell for how long it was not."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from marketplace import many_rows
from marketplace.kept_sql import kept_of_now
from marketplace.machines.models import Attendance

logger = logging.getLogger(__name__)
#: how often each part comes; what was not seen for longer than AWAY_S was away
EVERY_S, AWAY_S = 5, 20
#: the servers that hear the machines, together
SITE = "site"


@dataclass(frozen=True, slots=True)
class Presence:
    #: How long it was away until just now, beyond its period: so time goes on, if slowly, also for
    #: a pass that an overloaded site runs too seldom. Zero: it was there.
    away: timedelta
    #: when it came back from its newest absence; None: it was never away
    back_at: datetime | None


def attend(*, name: str, now: datetime) -> Presence:
    """Note that ``name`` is there now and return how that differs from before."""
    with transaction.atomic():
        before = list(_before(now, name))
        if not before:
            Attendance.objects.get_or_create(name=name, defaults={"seen_at": now})
            before = list(_before(now, name))
        seen_at, back_at = before[0]
        gap = now - seen_at
        is_back = gap > timedelta(seconds=AWAY_S)
        away = gap - timedelta(seconds=EVERY_S) if is_back else timedelta(0)
        back_at = now if is_back else back_at
        many_rows.update(Attendance, {name: {"seen_at": max(now, seen_at), "back_at": back_at}})
    if is_back:
        logger.warning(
            "Back after an absence", extra={"part": name, "away_s": int(gap.total_seconds())}
        )
    return Presence(away=away, back_at=back_at)


def hears(*, now: datetime) -> bool:
    """Say whether machines can reach the site now; before it first said so, they are thought to."""
    return not list(_silent(now))


@kept_of_now
def _silent(now: datetime) -> QuerySet[Attendance, tuple[Any, ...]]:
    old = now - timedelta(seconds=AWAY_S)
    return Attendance.objects.filter(name=SITE, seen_at__lt=old).values_list("name")


@kept_of_now
def _before(_now: datetime, name: str) -> QuerySet[Attendance, tuple[Any, ...]]:
    rows = Attendance.objects.select_for_update().filter(name=name)
    return rows.values_list("seen_at", "back_at")
