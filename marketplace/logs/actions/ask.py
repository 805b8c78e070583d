"""This will ask a rental's machine for the newest end of what its container said."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.domain.container_log import ANSWER_WITHIN, KEPT
from marketplace.logs import queries
from marketplace.logs.models import ContainerLog
from marketplace.machines.actions import desire, lock

#: each costs the machine a reply with all that is desired of it
OF_A_RENTAL = Limit(name="log of a rental", attempts_max=30, window=timedelta(minutes=1))
OF_A_RENTER = Limit(name="logs of a renter", attempts_max=120, window=timedelta(minutes=1))


def ask(*, rental_id: UUID, renter_id: int, lines_most: int, now: datetime) -> None:
    """Ask, unless the machine cannot answer now or is asked for as much already.

    :raises RentalUnknown: when this renter has no such rental.
    :raises TooManyAttempts: when it was asked too often of late.
    """
    placement = queries.of_renter(rental_id, renter_id)
    if queries.obstacle(placement) or _is_asked(placement.pk, lines_most, now):
        return
    count(limit=OF_A_RENTER, subject=str(renter_id), now=now)
    count(limit=OF_A_RENTAL, subject=str(placement.pk), now=now)
    with transaction.atomic():
        lock.lock(machine_id=placement.machine_id)
        ContainerLog.objects.update_or_create(
            placement_id=placement.pk,
            defaults={
                "asked_id": uuid4(),
                "asked_at": now,
                "lines_most": lines_most,
                "expires_at": now + KEPT,
            },
        )
        desire.bump(machine_id=placement.machine_id)


def _is_asked(placement_id: UUID, lines_most: int, now: datetime) -> bool:
    return ContainerLog.objects.filter(
        placement_id=placement_id,
        asked_id__isnull=False,
        asked_at__gt=now - ANSWER_WITHIN,
        lines_most__gte=lines_most,
    ).exists()
