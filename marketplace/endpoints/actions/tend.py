"""This will bring every endpoint to as many replicas as it wants, again and again."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from marketplace.domain import endpoint as domain
from marketplace.domain.placement import FILES_KEPT
from marketplace.domain.problem import Refused
from marketplace.endpoints import queries
from marketplace.endpoints.actions.begin import begin_replica
from marketplace.endpoints.actions.pay_longer import pay_longer
from marketplace.endpoints.models import Endpoint, Replica
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement

logger = logging.getLogger(__name__)


def tend(*, now: datetime, endpoint_id: UUID | None = None) -> int:
    """Return how many endpoints there are to look after. ``endpoint_id``: only this one.

    Nothing is done twice by two passes at once: each step looks again behind its lock.
    """
    going_on: dict[UUID, list[Replica]] = {}
    for replica in queries.going_on(endpoint_id):
        going_on.setdefault(replica.endpoint_id, []).append(replica)
    may_begin = Q(retry_at=None) | Q(retry_at__lte=now)
    due = Endpoint.objects.filter(
        Q(id__in=going_on) | may_begin & Q(deleted_at=None, wanted__gt=0, renter__is_active=True)
    )
    if endpoint_id is not None:
        due = due.filter(id=endpoint_id)
    found = list(due.defer("workload").select_related("renter").order_by("created_at", "id"))
    blind_at = queries.blind_at(now)
    one_by_one(
        found,
        lambda endpoint: _tend(endpoint, going_on.get(endpoint.id, ()), blind_at, now),
        failed="Endpoint not tended",
        most=len(found),
    )
    return len(found)


def _tend(
    endpoint: Endpoint, replicas: Sequence[Replica], blind_at: datetime | None, now: datetime
) -> None:
    _note_overs(replicas, now)
    placements = {replica.placement_id: replica.placement for replica in replicas}
    live = [replica for replica in replicas if not queries.is_over(replica)]
    plan = domain.plan(
        [queries.standing(replica, now, blind_at=blind_at) for replica in live],
        wanted=endpoint.wanted_now,
        deleted=endpoint.deleted_at is not None,
        now=now,
    )
    for placement_id, reason in plan.ends:
        code, sentence = _told(placements[placement_id], reason)
        request_end(placement_id=placement_id, reason_code=code, reason=sentence, now=now)
    if plan.ends:
        _note_overs(queries.going_on(endpoint.id), now)
    recovers = plan.steady and (endpoint.failures or endpoint.waits or endpoint.problem_code)
    if not (plan.extensions or plan.missing or recovers):
        return
    # A failure that was just noted makes what follows wait.
    endpoint.refresh_from_db(fields=("failures", "waits", "retry_at", "problem_code"))
    if endpoint.retry_at is not None and endpoint.retry_at > now:
        return
    for placement_id, until in plan.extensions:
        if not _extend(endpoint, placement_id, until, now):
            return
    if plan.missing:
        _begin(endpoint, now)
    elif recovers:
        _write(endpoint, failures=0, waits=0, retry_at=None, problem_code="", problem="")


def _told(placement: Placement, reason: domain.Reason) -> tuple[str, str]:
    """Return a code and a sentence: where its machine stopped it these are the machine's."""
    if reason is domain.Reason.STOPPED and placement.reason_code:
        # A replica is begun anew, and has no files to start again with.
        return placement.reason_code, placement.reason.removesuffix(FILES_KEPT).rstrip()
    return reason, domain.SENTENCES[reason]


def _note_overs(replicas: Iterable[Replica], now: datetime) -> None:
    for replica in replicas:
        if queries.is_over(replica):
            _note_over(replica, now)


def _note_over(replica: Replica, now: datetime) -> None:
    """Take a replica's end into account once: a failure makes the next one wait."""
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update().get(id=replica.endpoint_id)
        if not Replica.objects.filter(id=replica.id, over_at=None).update(over_at=now):
            return
        placement = replica.placement
        if placement.reason_code in domain.NO_FAILURES:
            return
        failures = endpoint.failures + 1
        _write(
            endpoint,
            failures=failures,
            retry_at=now + timedelta(seconds=domain.back_off_s(failures)),
            problem_code=placement.reason_code or "replica_ended",
            problem=placement.reason or "A replica ended without having been asked to.",
        )
    logger.info("Replica failed", extra={"placement_id": replica.placement_id})


def _extend(endpoint: Endpoint, placement_id: UUID, until: datetime, now: datetime) -> bool:
    try:
        pay_longer(placement_id=placement_id, until=until, now=now)
    except Refused as refused:
        _wait(endpoint, refused, now)
        return False
    return True


def _begin(endpoint: Endpoint, now: datetime) -> None:
    try:
        while begin_replica(endpoint_id=endpoint.id, now=now) is not None:
            if endpoint.waits:
                _write(endpoint, waits=0)
    except Refused as refused:
        _wait(endpoint, refused, now)


def _wait(endpoint: Endpoint, refused: Refused, now: datetime) -> None:
    waits = endpoint.waits + 1
    _write(
        endpoint,
        waits=waits,
        retry_at=now + timedelta(seconds=domain.wait_s(waits)),
        problem_code=refused.code,
        problem=refused.detail,
    )


def _write(endpoint: Endpoint, **changes: object) -> None:
    Endpoint.objects.filter(id=endpoint.id).update(**changes)
    for name, value in changes.items():
        setattr(endpoint, name, value)
