"""This will say how fast a machine's line is, as validators measured it through its SSH door."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median_low
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet

from marketplace.kept_sql import kept
from marketplace.machines.models import Machine
from marketplace.verification import relied_on
from marketplace.verification.lists import ListOf
from marketplace.verification.models import VerdictRecord
from protocol.validator import Measurement

#: the newest, of which the middle one counts; a line is measured about once a day
LOOKS_MOST = 5


@dataclass(frozen=True, slots=True)
class Line:
    """Speeds in 10^6 bytes a second, of which the line has no less; 0: nobody measured it."""

    #: to the machine
    down_mb_s: int = 0
    #: from it
    up_mb_s: int = 0

    @classmethod
    def of(cls, found: Measurement | None) -> "Line":
        """Return what one look measured."""
        return cls() if found is None else cls(found.network_down_mb_s, found.network_up_mb_s)


def lines_of(machines: QuerySet[Machine] | Collection[UUID], *, now: datetime) -> dict[UUID, Line]:
    """Return the lines of those machines that were measured, in one query."""
    return {
        machine_id: Line(_middle(downs), _middle(ups))
        for machine_id, downs, ups in _speeds(machines, now)
        if ups
    }


@kept(Machine)
def _speeds(machines: QuerySet[Machine], now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
    of_it = VerdictRecord.objects.filter(
        relied_on.verdicts(now), machine=OuterRef("pk"), network_up_mb_s__isnull=False
    )
    newest = of_it.order_by("-checked_at", "-id")
    return machines.order_by("id").values_list(
        "id",
        ListOf(newest, "network_down_mb_s", most=LOOKS_MOST),
        ListOf(newest, "network_up_mb_s", most=LOOKS_MOST),
    )


def _middle(found: Sequence[int | None]) -> int:
    return median_low([one for one in found if one] or [0])
