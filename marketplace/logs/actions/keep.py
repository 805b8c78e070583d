"""This will keep what a machine sends of a container's log, if it was asked or the thing failed."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.domain.container_log import KEPT, LAST_WITHIN
from marketplace.domain.placement import LIVE, PlacementState
from marketplace.domain.problem import Refused
from marketplace.logs.models import ContainerLog
from marketplace.logs.sealed import seal
from marketplace.placements.models import Placement
from protocol.container_log import LogReport
from protocol.workload import PlacementKind

#: that nobody asked for, of one machine
LAST_WORDS = Limit(name="last words of a machine", attempts_max=60, window=timedelta(minutes=1))


class LogNotAsked(Refused):
    """Nobody waits for it, or it is of no rental of this machine."""

    code = "not_asked"
    status = 409
    sentence = "Nobody asked this machine for that log, or somebody asked anew since."


def keep(*, machine_id: UUID, placement_id: UUID, report: LogReport, now: datetime) -> None:
    """Keep it in place of what came before.

    :raises LogNotAsked: when nobody waits for it.
    :raises TooManyAttempts: when the machine sends more last words than may be.
    """
    told: dict[str, object] = {
        "asked_id": None,
        "sealed": seal(report.lines),
        "taken_at": now,
        "has_container": report.has_container,
        "is_cut": report.is_cut,
        "expires_at": now + KEPT,
    }
    if report.asked_id in (None, placement_id):
        _keep_last(machine_id, placement_id, told, now)
        return
    mine = ContainerLog.objects.filter(placement_id=placement_id, placement__machine_id=machine_id)
    if not mine.filter(asked_id=report.asked_id).update(**told):
        raise LogNotAsked


def _keep_last(
    machine_id: UUID, placement_id: UUID, told: dict[str, object], now: datetime
) -> None:
    """Keep the last words of what failed, or what its machine is about to say so of."""
    has_failed = Q(state__in=(PlacementState.FAILED, PlacementState.REFUSED))
    mine = Placement.objects.filter(
        Q(state__in=LIVE) | has_failed & Q(ended_at__gt=now - LAST_WITHIN),
        id=placement_id,
        machine_id=machine_id,
        kind=PlacementKind.RENTAL,
        # Whoever deleted the account wants nothing of it kept.
        rental__renter__is_active=True,
    )
    if not told["sealed"] or not mine.exists():
        raise LogNotAsked
    count(limit=LAST_WORDS, subject=str(machine_id), now=now)
    ContainerLog.objects.update_or_create(placement_id=placement_id, defaults=told)
