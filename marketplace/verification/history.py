"""This will read what anyone may know of how one machine was verified."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.models import Appeal, StandingEvent, VerdictRecord
from marketplace.verification.queries import Standing
from protocol.validator import SignedVerdict

VERDICTS_AT_ONCE = 50
EVENTS_SHOWN = 50


class MachineNotThere(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such machine."


@dataclass(frozen=True, slots=True)
class History:
    machine: Machine
    standing: Standing
    #: newest first
    verdicts: tuple[SignedVerdict, ...]
    #: when the first of the next page was made, in ms; None: there is none
    before_ms: int | None


def of_machine(machine_id: UUID, *, now: datetime, before_ms: int | None = None) -> History:
    """Return what stands about the machine and one page of its verdicts, in three queries.

    ``before_ms``: only verdicts of looks before that moment.

    :raises MachineNotThere: when there is none.
    """
    machine = Machine.objects.filter(id=machine_id).first()
    standing = queries.standings([machine_id], now).get(machine_id)
    if machine is None or standing is None:
        raise MachineNotThere
    rows = list(_verdicts(machine_id, before_ms)[: VERDICTS_AT_ONCE + 1])
    page = tuple(SignedVerdict.model_validate(row) for row in rows[:VERDICTS_AT_ONCE])
    more = len(rows) > len(page)
    return History(
        machine=machine,
        standing=standing,
        verdicts=page,
        before_ms=page[-1].verdict.checked_at_ms if more else None,
    )


def newest_appeals(machines: QuerySet[Machine]) -> dict[UUID, Appeal]:
    """Return the newest appeal for each of the machines for which there was one; one query."""
    newest = Appeal.objects.filter(machine=OuterRef("machine_id")).order_by("-made_at", "id")
    found = Appeal.objects.filter(
        machine__in=machines.order_by().values("id"), id=Subquery(newest.values("id")[:1])
    )
    return {appeal.machine_id: appeal for appeal in found.order_by("machine_id")}


def appeals(machine_id: UUID) -> QuerySet[Appeal]:
    """Return a machine's appeals, newest first."""
    return Appeal.objects.filter(machine_id=machine_id).order_by("-made_at", "id")


def events(machine_ids: Collection[UUID]) -> QuerySet[StandingEvent]:
    """Return what changed of the machines lately, newest first."""
    found = StandingEvent.objects.filter(machine_id__in=machine_ids)
    return found.order_by("-at", "-id")[:EVENTS_SHOWN]


def _verdicts(machine_id: UUID, before_ms: int | None) -> QuerySet[VerdictRecord, object]:
    kept = VerdictRecord.objects.filter(machine_id=machine_id, validator__admitted=True)
    if before_ms is not None:
        kept = kept.filter(checked_at__lt=queries.moment(before_ms))
    return kept.order_by("-checked_at", "-id").values_list("signed", flat=True)
