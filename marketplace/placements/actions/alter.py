"""This will change what is desired of a placement while it runs, without ending it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions import count_attempt
from marketplace.domain.placement import PlacementState
from marketplace.domain.problem import Refused
from marketplace.machines.actions import desire, lock
from marketplace.placements.models import Placement

#: With each its container is made anew, and its machine is not paid for what lies between the
#: newest look at its door and that (docs/decisions/0006-looks-from-outside.md).
ALTERED = count_attempt.Limit("a placement made anew", 10, timedelta(hours=1))
#: from what is desired now to the columns that differ; none: nothing is to be changed
Alter = Callable[[Placement], Mapping[str, Any]]
#: a new wish makes what was said of the one before old
UNTOLD = {"change_code": "", "change_reason": ""}


class NotRunning(Refused):
    """It is not there yet, or stopped, or it ends."""

    code = "not_running"
    status = 409
    sentence = "This is possible only while it runs; wait until it does, or start it first."


class RestartsMany(Refused):
    """Its container was made anew as often as it may within the hour."""

    code = "restarts_many"
    status = 429

    def __init__(self, wait_s: int) -> None:
        self.retry_after_s = wait_s
        super().__init__(
            f"It was restarted, reset or changed {ALTERED.attempts_max} times within the hour;"
            f" try again in {-(-wait_s // 60)} minutes, or stop and start it."
        )


def alter(*, placement_id: UUID, by: Alter, now: datetime) -> Placement:
    """Return the placement with what ``by`` changed, which its machine hears of at once.

    :raises NotRunning: when it does not run, or shall not any more.
    :raises RestartsMany: when that happened too often within the hour.
    """
    machine_id = Placement.objects.values_list("machine_id", flat=True).get(id=placement_id)
    with transaction.atomic():
        lock.lock(machine_id=machine_id)
        placement = Placement.objects.select_for_update().get(id=placement_id)
        if placement.state != PlacementState.RUNNING:
            raise NotRunning
        columns = by(placement)
        if columns:
            _count(placement_id, now)
            for name, value in (UNTOLD | dict(columns)).items():
                setattr(placement, name, value)
            placement.save(update_fields=[*UNTOLD, *columns])
            desire.bump(machine_id=machine_id)
    return placement


def _count(placement_id: UUID, now: datetime) -> None:
    try:
        count_attempt.count(limit=ALTERED, subject=str(placement_id), now=now)
    except count_attempt.TooManyAttempts as refused:
        raise RestartsMany(refused.retry_after_s or 1) from None
