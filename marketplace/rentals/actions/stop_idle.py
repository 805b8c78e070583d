"""This will stop rentals that were idle for as long as their renters said."""

from datetime import datetime, timedelta
from functools import partial

from django.db.models import F, Q

from marketplace.domain.idle import idle_since
from marketplace.domain.placement import PlacementState
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions.request_stop import request_stop
from marketplace.rentals.models import IdleRule
from marketplace.telemetry import queries as telemetry

RULES_MAX = 200
CHECKED_EVERY = timedelta(seconds=30)
CODE = "idle"


def stop_idle(*, now: datetime) -> int:
    """Return how many rentals were stopped; their files are kept."""
    due = IdleRule.objects.filter(
        Q(checked_at=None) | Q(checked_at__lte=now - CHECKED_EVERY),
        rental__placement__state=PlacementState.RUNNING,
        rental__placement__reachable_at__isnull=False,
    ).select_related("rental__placement")
    # Those looked at longest ago first, so that no number of rules keeps one from its turn: not
    # even of such that cannot be checked.
    checked = one_by_one(
        due.order_by(F("checked_at").asc(nulls_first=True), "id"),
        partial(_check, now=now),
        failed="Idle rule not checked",
        most=RULES_MAX,
    )
    return sum(checked)


def _check(rule: IdleRule, *, now: datetime) -> bool:
    IdleRule.objects.filter(pk=rule.pk).update(checked_at=now)
    placement = rule.rental.placement
    begins = max(rule.set_at, placement.reachable_at or now)
    points = telemetry.usage(machine_id=placement.machine_id, placement_id=placement.id, now=now)
    since = idle_since(
        [point for point in points if point.at >= begins],
        before=rule.idle_since if rule.idle_since and rule.idle_since >= begins else None,
        below_percent=rule.below_percent,
        cpus=placement.cpus,
        gpus=len(placement.gpu_uuids),
        now=now,
    )
    mine = IdleRule.objects.filter(pk=rule.pk, set_at=rule.set_at)
    if not mine.update(idle_since=since):
        return False
    if since is None or now - since < timedelta(seconds=rule.after_s):
        return False
    thing = "GPUs were" if placement.gpu_uuids else "CPUs were"
    request_stop(
        placement_id=placement.id,
        reason_code=CODE,
        reason=f"Its {thing} below {rule.below_percent} % for {rule.after_s // 60} minutes, as you"
        " asked. Its files are kept; start it again.",
        now=now,
    )
    return True
