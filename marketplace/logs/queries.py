"""This will answer what a rental's container said, and which machines are asked for logs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain import container_log as rules
from marketplace.domain.container_log import LogState
from marketplace.domain.placement import ENDED
from marketplace.kept_sql import kept
from marketplace.logs.models import ContainerLog
from marketplace.logs.sealed import unseal
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement
from marketplace.rentals.queries import RentalUnknown
from protocol.container_log import LAST_LINES_MOST, LogAsked, LogLine, answers


@dataclass(frozen=True, slots=True)
class LogView:
    """The newest end of a log as its renter sees it, the oldest line first."""

    state: LogState
    #: what there is to say beside the lines; empty: they say it all
    sentence: str
    #: its machine can be asked now
    may_ask: bool
    asked_at: datetime | None
    #: when the lines came; None: none did
    taken_at: datetime | None
    #: it said more before the first line
    is_cut: bool
    lines: tuple[LogLine, ...]


def view(rental_id: UUID, renter_id: int, now: datetime) -> LogView:
    """Return what is kept of the log of this renter's rental.

    :raises RentalUnknown: when this renter has no such rental.
    """
    placement = of_renter(rental_id, renter_id)
    why_not = obstacle(placement)
    kept: ContainerLog | None = getattr(placement, "container_log", None)
    if kept is None or kept.expires_at <= now:
        kept = ContainerLog(placement=placement)
    lines = unseal(kept.sealed)
    state = rules.state(
        asked_at=kept.asked_at,
        taken_at=kept.taken_at,
        is_open=kept.asked_id is not None,
        now=now,
    )
    if why_not and state in (LogState.ASKED, LogState.LATE):
        # Whoever was asked cannot answer any more.
        state = LogState.NONE if kept.taken_at is None else LogState.TAKEN
    return LogView(
        state=state,
        sentence=rules.sentence(
            state, has_container=kept.has_container, lines=len(lines), obstacle=why_not
        ),
        may_ask=not why_not,
        asked_at=kept.asked_at,
        taken_at=kept.taken_at,
        is_cut=kept.is_cut,
        lines=lines,
    )


def of_renter(rental_id: UUID, renter_id: int) -> Placement:
    """Return what of this renter's rental is on its machine, with what is kept of its log.

    :raises RentalUnknown: when this renter has no such rental.
    """
    mine = Placement.objects.filter(
        rental__id=rental_id, rental__renter_id=renter_id, rental__forgotten_at=None
    )
    placement = mine.select_related("machine", "container_log").first()
    if placement is None:
        raise RentalUnknown
    return placement


def obstacle(placement: Placement) -> str:
    """Return why its machine cannot be asked now, in a sentence; empty: it can."""
    machine = placement.machine
    return rules.obstacle(
        rules.Asked(
            is_over=placement.state in ENDED,
            is_told=not placement.is_untold,
            is_online=machine.online,
            is_able=answers(machine.agent_version),
        )
    )


def asked(
    machine_ids: Collection[UUID], *, failed: Mapping[UUID, Collection[UUID]], now: datetime
) -> dict[UUID, tuple[LogAsked, ...]]:
    """Return whose logs each of the machines is asked for; those missing: nobody's.

    ``failed``: rentals by machine that the marketplace calls failed and whose containers may still
    be there: their renters want to know why, and have no time to ask.
    """
    found: dict[UUID, list[LogAsked]] = {}
    able: dict[UUID, bool] = {}
    for machine_id, version, placement_id, asked_id, lines_most in _open(machine_ids, now):
        able[machine_id] = answers(version)
        found.setdefault(machine_id, []).append(
            LogAsked(placement_id=placement_id, asked_id=asked_id, lines_most=lines_most)
        )
    if failed:
        versions = Machine.objects.filter(id__in=list(failed)).order_by("id")
        for machine_id, version in versions.values_list("id", "agent_version"):
            able[machine_id] = answers(version)
            asked_already = {one.placement_id for one in found.get(machine_id, ())}
            for placement_id in failed[machine_id]:
                if placement_id not in asked_already:
                    found.setdefault(machine_id, []).append(last_words(placement_id))
    return {machine_id: tuple(some) for machine_id, some in found.items() if able[machine_id]}


@kept()
def _open(machine_ids: Collection[UUID], now: datetime) -> QuerySet[ContainerLog, tuple[Any, ...]]:
    return (
        ContainerLog.objects.filter(
            asked_id__isnull=False,
            asked_at__gt=now - rules.ANSWER_WITHIN,
            placement__machine_id__in=machine_ids,
        )
        .order_by("asked_at", "pk")
        .values_list(
            "placement__machine_id",
            "placement__machine__agent_version",
            "placement_id",
            "asked_id",
            "lines_most",
        )
    )


def last_words(placement_id: UUID) -> LogAsked:
    """Return how the end of the log of what failed is asked for: by the placement's own id."""
    return LogAsked(placement_id=placement_id, asked_id=placement_id, lines_most=LAST_LINES_MOST)
