"""This will take in what machines report and say what is desired of them, many machines at once."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction
from pydantic import ValidationError

from marketplace.domain import nonce
from marketplace.domain.placement import PlacementState
from marketplace.domain.problem import Refused
from marketplace.endpoints.queries import gateway_keys
from marketplace.logs import queries as log_queries
from marketplace.machines import queries as machine_queries
from marketplace.machines.actions.authenticate import MachineUnknown, Signed
from marketplace.machines.actions.heartbeat import Beat, SyncReplayed, heartbeats
from marketplace.metering.actions.record import Sent, record
from marketplace.offers.actions.refresh import refresh
from marketplace.placements import queries as placement_queries
from marketplace.placements.actions import lock
from marketplace.placements.actions.observe import follow, news
from marketplace.sync_limits import SyncRate
from marketplace.telemetry.actions import record as telemetry
from marketplace.verification.queries import validator_keys
from marketplace.volumes import queries as volume_queries
from marketplace.volumes.actions.observe import observe as observe_volumes
from protocol.agent import DESIRED_MOST, SyncReply, SyncRequest
from protocol.message import holds_nul
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)
sync_rate = SyncRate()


class SyncMalformed(Refused):
    code = "invalid"
    status = 422


class AnswerBroken(Refused):
    """What is stored of one machine does not fit its reply."""

    code = "answer_broken"
    status = 500
    sentence = "What this machine shall do cannot be told; the operator's log says why."


@dataclass(frozen=True, slots=True)
class Report:
    """A sync as it came, whose signature was checked."""

    signed: Signed
    body: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """A sync that was taken in."""

    machine_id: UUID
    machine_key: str
    sent_at_ms: int
    request: SyncRequest


Outcome = Taken | Exception
Answer = SyncReply | Refused


def take_in(*, reports: Sequence[Report], now: datetime) -> list[Outcome]:
    """Return for each report, in order, what was taken in or why it was not.

    Those of different machines are written together. One that breaks what is done with it spoils no
    other: then each is taken in by itself, and its machine's by themselves until one goes well.

    Refused are those of no enrolled machine, malformed ones, one too many and repeated ones.
    """
    outcomes: dict[int, Outcome] = _read(reports, now)
    left = [number for number, outcome in outcomes.items() if isinstance(outcome, Taken)]
    while left:
        # A machine's second report is taken in after its first.
        first: dict[UUID, int] = {}
        for number in left:
            first.setdefault(_taken(outcomes[number]).machine_id, number)
        left = [number for number in left if number not in first.values()]
        for some in _apart(first):
            results = _take_in_some([_taken(outcomes[number]) for number in some], now)
            outcomes |= zip(some, results, strict=True)
    return [outcomes[number] for number in range(len(reports))]


def answer(*, machine_ids: Collection[UUID], now: datetime) -> dict[UUID, Answer]:
    """Return what each machine shall do now, with a nonce that dates its next word.

    One whose own reply cannot be put together is refused alone: the others hear theirs.
    """
    # Before what is desired: what rises in between is then told once more, and never missed.
    revisions = machine_queries.newest_revisions(list(machine_ids))
    placements = placement_queries.listed_by_machine(machine_ids)
    volumes = volume_queries.listed_by_machine(machine_ids)
    validators = validator_keys()[:DESIRED_MOST]
    with_replicas = {
        machine_id
        for machine_id, listed in placements.items()
        if any(placement.kind == PlacementKind.REPLICA for placement in listed)
    }
    # Nobody else has to know them, and most sites have no replica at all.
    gateways = gateway_keys()[:DESIRED_MOST] if with_replicas else ()
    failed = {
        machine_id: some
        for machine_id, listed in placements.items()
        if (some := [placement.id for placement in listed if _has_failed(placement)])
    }
    logs = log_queries.asked(machine_ids, failed=failed, now=now)
    secret, server_time_ms = settings.SECRET_KEY.encode(), int(now.timestamp() * 1000)

    def one(machine_id: UUID) -> Answer:
        if machine_id not in revisions:
            return MachineUnknown()
        try:
            return SyncReply(
                nonce=nonce.issue(secret=secret, machine_id=str(machine_id), now=now),
                server_time_ms=server_time_ms,
                revision=revisions[machine_id],
                desired=placement_queries.as_desired(placements.get(machine_id, ()), now),
                validators=validators,
                volumes=volume_queries.as_desired(volumes.get(machine_id, ())),
                gateways=gateways if machine_id in with_replicas else (),
                logs=logs.get(machine_id, ())[:DESIRED_MOST],
            )
        except Exception:
            logger.exception("Sync not answered", extra={"machine_id": machine_id})
            return AnswerBroken()

    return {machine_id: one(machine_id) for machine_id in machine_ids}


def _has_failed(placement: placement_queries.Listed) -> bool:
    return (placement.kind, placement.state) == (PlacementKind.RENTAL, PlacementState.FAILED)


#: Machines whose last report broke something here. Each has its own transaction, so that the next
#: one costs the others nothing.
_breaking: set[UUID] = set()


def _apart(first: Mapping[UUID, int]) -> list[list[int]]:
    alone = [[number] for machine_id, number in first.items() if machine_id in _breaking]
    together = [number for machine_id, number in first.items() if machine_id not in _breaking]
    return [together, *alone] if together else alone


def _read(reports: Sequence[Report], now: datetime) -> dict[int, Outcome]:
    keys = {report.signed.machine_key for report in reports}
    ids = machine_queries.ids_by_key(keys)
    outcomes: dict[int, Outcome] = {}
    for number, report in enumerate(reports):
        try:
            outcomes[number] = _read_one(report, ids, now)
        except Refused as refused:
            outcomes[number] = refused
    return outcomes


def _read_one(report: Report, ids: Mapping[str, UUID], now: datetime) -> Taken:
    machine_id = ids.get(report.signed.machine_key)
    if machine_id is None:
        raise MachineUnknown
    sync_rate.take(machine_id, now)
    if holds_nul(report.body):
        raise SyncMalformed("The sync is malformed: a text may hold no NUL character.")
    try:
        request = SyncRequest.model_validate_json(report.body)
    except ValidationError as error:
        raise SyncMalformed(f"The sync is malformed: {error.errors()[0]['msg']}.") from None
    return Taken(machine_id, report.signed.machine_key, report.signed.sent_at_ms, request)


def _taken(outcome: Outcome) -> Taken:
    assert isinstance(outcome, Taken)  # noqa: S101 - only these are asked for
    return outcome


def _take_in_some(some: Sequence[Taken], now: datetime) -> list[Outcome]:
    try:
        outcomes = _take_in_together(some, now)
    except Exception as error:
        if len(some) > 1:
            logger.info("Syncs taken in one by one", extra={"syncs": len(some)})
            return _take_in_each(some, now)
        return [_broken(some[0], error)]
    _breaking.difference_update(one.machine_id for one in some)
    return outcomes


def _take_in_each(some: Sequence[Taken], now: datetime) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for one in some:
        (outcome,) = _take_in_some([one], now)
        outcomes.append(outcome)
        if isinstance(outcome, OperationalError):
            # The database is away, and to ask it for each of them would take as many deadlines.
            return outcomes + [outcome] * (len(some) - len(outcomes))
    return outcomes


def _broken(one: Taken, error: Exception) -> Exception:
    logger.error("Sync not taken in", extra={"machine_id": one.machine_id}, exc_info=error)
    if not isinstance(error, OperationalError):
        _breaking.add(one.machine_id)
    return error


def _take_in_together(some: Sequence[Taken], now: datetime) -> list[Outcome]:
    """Take the reports in, or none of them."""
    with transaction.atomic():
        # First: it tells what was taken in before, and locks the machines (actions/lock.py).
        new_ids = heartbeats(
            beats=[Beat(one.machine_id, one.request, one.sent_at_ms) for one in some], now=now
        )
        new = [one for one in some if one.machine_id in new_ids]
        found = news(
            told={one.machine_id: one.request.placements for one in new},
            heard={one.machine_id: one.request.revision for one in new},
            now=now,
        )
        sent = [
            Sent(one.machine_id, one.machine_key, one.request.placements, one.request.intervals)
            for one in new
            if one.request.intervals
        ]
        lock.lock(
            placement_ids={new.placement.id for new in found}
            | {signed.interval.placement_id for one in sent for signed in one.intervals}
        )
        if sent:
            # Before the states: a placement that ends with this report is charged in full.
            record(sent=sent, now=now)
        follow(found=found, now=now)
        observe_volumes(
            told={one.machine_id: one.request.volumes for one in new if one.request.volumes},
            now=now,
        )
        # In the order of their ids: what machines stand as is locked where it changes.
        for one in sorted(new, key=lambda one: one.machine_id):
            if one.request.hardware is not None:
                refresh(machine_id=one.machine_id, now=now)
        telemetry.record(
            usage={one.machine_id: one.request.usage for one in new if one.request.usage},
            incidents={
                one.machine_id: one.request.incidents for one in new if one.request.incidents
            },
            now=now,
        )
    return [one if one.machine_id in new_ids else SyncReplayed() for one in some]
