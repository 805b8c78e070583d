"""This will note what machines stand as, with an event for every change."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.standing import MEANING, StandingState
from marketplace.verification.models import WORDS_MAX, MachineStanding, StandingEvent
from marketplace.verification.queries import Standing

#: events
KEPT = timedelta(days=90)

logger = logging.getLogger(__name__)


def lock(machine_id: UUID, now: datetime) -> MachineStanding:
    """Return what is noted of the machine, which nobody else changes in this transaction."""
    MachineStanding.objects.get_or_create(
        machine_id=machine_id, defaults={"state": StandingState.NEW, "since": now}
    )
    return MachineStanding.objects.select_for_update().get(machine_id=machine_id)


def lock_all(machine_ids: Collection[UUID], now: datetime) -> None:
    """Let nobody else change what is noted of these machines in this transaction.

    In the order of their ids, as whoever locks several does.
    """
    noted = MachineStanding.objects.filter(machine_id__in=machine_ids).order_by("machine_id")
    missing = set(machine_ids).difference(noted.values_list("machine_id", flat=True))
    MachineStanding.objects.bulk_create(
        [
            MachineStanding(machine_id=machine_id, state=StandingState.NEW, since=now)
            for machine_id in sorted(missing)
        ],
        ignore_conflicts=True,
    )
    list(noted.select_for_update())


def note(standings: Mapping[UUID, Standing], *, now: datetime) -> int:
    """Return of how many machines another state was noted than before.

    The words decide at any time; what is noted is since when, and a ban, which outlasts its words.
    """
    changed = [
        _note_one(machine_id, standing, now)
        for machine_id, standing in standings.items()
        if standing.state is not standing.noted.state
    ]
    return sum(changed)


def tell(machine_id: UUID, state: StandingState, text: str, *, now: datetime) -> None:
    """Write an event that the machine's host sees."""
    StandingEvent.objects.create(
        machine_id=machine_id, at=now, state=state, text=text[: WORDS_MAX + 200]
    )


def forget_events(*, now: datetime) -> None:
    """Forget what happened a quarter of a year ago; how a machine stands is kept elsewhere."""
    StandingEvent.objects.filter(at__lt=now - KEPT).delete()


def _note_one(machine_id: UUID, standing: Standing, now: datetime) -> bool:
    state = standing.state
    ban = {"banned_at": now} if state is StandingState.BANNED else {}
    with transaction.atomic():
        lock(machine_id, now)
        old = MachineStanding.objects.filter(machine_id=machine_id, state=standing.noted.state)
        if not old.update(state=state, since=now, **ban):
            return False
        why = " ".join(reason.message for reason in standing.reasons)
        tell(machine_id, state, f"{MEANING[state].sentence} {why}".strip(), now=now)
    logger.info("Machine stands anew", extra={"machine_id": machine_id, "verdict": state.value})
    return True
