"""This will answer what happened to a rental: its states, its SSH door, and what went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any

from django.db.models import F, Q, QuerySet

from marketplace.domain.history import INCIDENT, OPEN, SEEN, SHUT, Mark, Source, sentence
from marketplace.placements.models import DoorShut, Placement, PlacementEvent
from marketplace.rentals.models import Rental
from marketplace.telemetry.models import Incident

ROWS_MAX = 50


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened to a rental."""

    mark: Mark
    #: an event of the placement, "door_shut", "door_open" or "incident"
    event: str
    sentence: str
    #: a stable code; empty: nothing is to be explained
    code: str = ""
    #: why, in one sentence; empty: nobody said, or it is not known any more
    reason: str = ""

    @property
    def at(self) -> datetime:
        """Return when."""
        return self.mark.at


@dataclass(frozen=True, slots=True)
class Events:
    """One page, newest first."""

    items: tuple[Happened, ...]
    #: the mark before which older ones are; None: there are none
    older: Mark | None


def events(rental: Rental, *, before: Mark | None = None) -> Events:
    """Return a page of what happened, in a fixed number of queries."""
    placement = rental.placement
    told = [
        *_states(placement, before),
        *_reached(placement, before),
        *_doors(placement, Source.DOOR_SHUT, before),
        *_doors(placement, Source.DOOR_OPEN, before),
        *_incidents(placement, before),
    ]
    newest = nlargest(ROWS_MAX + 1, told, key=lambda one: one.mark)
    page = tuple(newest[:ROWS_MAX])
    return Events(items=page, older=page[-1].mark if len(newest) > ROWS_MAX else None)


def _states(placement: Placement, before: Mark | None) -> Iterable[Happened]:
    rows = PlacementEvent.objects.filter(placement_id=placement.id)
    explained = _explained(placement)
    if placement.reachable_at is not None:
        # _reached tells it of the newest run.
        rows = rows.exclude(event=SEEN, at=placement.reachable_at)
    for row in _before(rows, Source.PLACEMENT, before):
        yield Happened(
            mark=Mark(row.at, Source.PLACEMENT, row.pk),
            event=row.event,
            sentence=sentence(row.event, old_state=row.old_state),
            code=row.reason_code,
            reason=placement.reason if row.pk == explained else "",
        )


def _explained(placement: Placement) -> int | None:
    """Return the event that the placement's reason is about: the newest one with its code."""
    if not placement.reason_code:
        return None
    rows = PlacementEvent.objects.filter(
        placement_id=placement.id, reason_code=placement.reason_code
    )
    return rows.order_by("-at", "-pk").values_list("pk", flat=True).first()


def _reached(placement: Placement, before: Mark | None) -> Iterable[Happened]:
    # A run that the version before this one saw within its first second has no event of that.
    if placement.reachable_at is None:
        return
    mark = Mark(placement.reachable_at, Source.REACHED, 0)
    if before is None or mark < before:
        yield Happened(mark=mark, event=SEEN, sentence=sentence(SEEN, old_state=""))


def _doors(placement: Placement, source: Source, before: Mark | None) -> Iterable[Happened]:
    column, event = {
        Source.DOOR_SHUT: ("since", SHUT),
        Source.DOOR_OPEN: ("until", OPEN),
    }[source]
    rows = DoorShut.objects.filter(placement_id=placement.id, **{f"{column}__isnull": False})
    for row in _before(rows.annotate(moment=F(column)), source, before, column="moment"):
        mark = Mark(getattr(row, column), source, row.pk)
        yield Happened(mark=mark, event=event, sentence=sentence(event, old_state=""))


def _incidents(placement: Placement, before: Mark | None) -> Iterable[Happened]:
    rows = Incident.objects.filter(placement_id=placement.id)
    for row in _before(rows, Source.INCIDENT, before):
        mark = Mark(row.at, Source.INCIDENT, row.pk)
        yield Happened(mark=mark, event=INCIDENT, sentence=row.sentence, code=row.kind)


def _before(
    rows: QuerySet[Any], source: Source, before: Mark | None, *, column: str = "at"
) -> QuerySet[Any]:
    """Return the newest of these rows that stand before the mark among all."""
    if before is not None:
        earlier = Q(**{f"{column}__lt": before.at})
        same = Q(**{column: before.at})
        if source == before.source:
            earlier |= same & Q(pk__lt=before.number)
        elif source < before.source:
            earlier |= same
        rows = rows.filter(earlier)
    return rows.order_by(f"-{column}", "-pk")[: ROWS_MAX + 1]
