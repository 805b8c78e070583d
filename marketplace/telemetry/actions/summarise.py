"""This will keep what rentals used over minutes and hours, after the hour of readings is over.

It reads the ring that readings are kept in, so that no sync does more than it did: a summary of
five minutes is one row, where upserts with each reading would be thirty (docs/decisions/0057).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from marketplace import many_rows
from marketplace.domain.usage import HISTORY_S, SLOTS, Point, points, slot_of
from marketplace.domain.usage_summary import Span, begin_of, begins_of, joined, summed_up
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement
from marketplace.telemetry.models import Reading, Summed, UsageSummary
from protocol.usage import USAGE_EVERY_S, PlacementUsage
from protocol.workload import PlacementKind

#: by then every transaction that wrote an older reading is over
SETTLED_AFTER = timedelta(seconds=20)
#: a reading shows what was used since the one before it, which is looked for so far back
BEFORE = timedelta(seconds=3 * USAGE_EVERY_S)
#: read together
MACHINES, PLACEMENTS = 100, 500
SPANS = (Span.DAY, Span.MONTH)


def summarise(*, now: datetime) -> int:
    """Return how many summaries were kept.

    Each step is summed up once, in order; who is killed on the way begins the step again. Of what
    lies further back than the readings or summaries that it is made of there is none.
    """
    return sum(_summarise(span, now) for span in SPANS)


def _summarise(span: Span, now: datetime) -> int:
    mark, _ = Summed.objects.get_or_create(
        step_s=span.step_s, defaults={"until": begin_of(now, step_s=span.step_s)}
    )
    kept = timedelta(seconds=HISTORY_S) if span is Span.DAY else Span.DAY.length
    # The step that begins the soonest of which everything is kept still.
    soonest = begin_of(now - kept + BEFORE, step_s=span.step_s) + timedelta(seconds=span.step_s)
    until = now - SETTLED_AFTER if span is Span.DAY else _summed(Span.DAY)
    count = 0
    for start in begins_of(max(mark.until, soonest), until, step_s=span.step_s):
        count += _of_readings(start) if span is Span.DAY else _of_summaries(start)
        mark.until = start + timedelta(seconds=span.step_s)
        mark.save(update_fields=["until"])
    return count


def _summed(span: Span) -> datetime:
    return Summed.objects.get(step_s=span.step_s).until


def _of_readings(start: datetime) -> int:
    """Keep five minutes of each rental that a machine spoke of in them."""
    end = start + timedelta(seconds=Span.DAY.step_s)
    spoke = Machine.objects.filter(last_seen_at__gte=start).order_by("id")
    ids = list(spoke.values_list("id", flat=True))
    # A machine's rows are found by their places in the ring: there is no index of their moments.
    slots = [
        (slot_of(start - BEFORE) + number) % SLOTS
        for number in range((end - start + BEFORE) // timedelta(seconds=USAGE_EVERY_S) + 1)
    ]
    count = 0
    for some in _parts(ids, MACHINES):
        read = Reading.objects.filter(
            machine_id__in=some, slot__in=slots, at__gte=start - BEFORE, at__lt=end
        ).order_by("at", "id")
        found = _by_placement(read.values_list("at", "content__placements"))
        known = Placement.objects.filter(id__in=found, kind=PlacementKind.RENTAL)
        rentals = known.order_by("id").values_list("id", flat=True)
        own = {one: [point for point in found[str(one)] if point.at >= start] for one in rentals}
        count += _keep(Span.DAY, start, {one: summed_up(told) for one, told in own.items() if told})
    return count


def _by_placement(rows: Iterable[tuple[datetime, Any]]) -> Mapping[str, tuple[Point, ...]]:
    told: dict[str, list[tuple[datetime, PlacementUsage]]] = {}
    for at, placements in rows:
        for placement_id, content in placements.items():
            usage = PlacementUsage.model_validate(content)
            told.setdefault(placement_id, []).append((at, usage))
    return {placement_id: points(readings) for placement_id, readings in told.items()}


def _of_summaries(start: datetime) -> int:
    """Keep an hour of each rental of which there are some minutes."""
    end = start + timedelta(seconds=Span.MONTH.step_s)
    minutes = UsageSummary.objects.filter(step_s=Span.DAY.step_s, at__gte=start, at__lt=end)
    ids = minutes.order_by("placement_id").values_list("placement_id", flat=True).distinct()
    count = 0
    for some in _parts(list(ids), PLACEMENTS):
        rows = minutes.filter(placement_id__in=some).order_by("placement_id", "at")
        pairs = rows.values_list("placement_id", "content")
        each = groupby(pairs, key=itemgetter(0))
        count += _keep(
            Span.MONTH, start, {one: joined([content for _, content in own]) for one, own in each}
        )
    return count


def _parts(ids: Sequence[UUID], most: int) -> Iterator[Sequence[UUID]]:
    return (ids[first : first + most] for first in range(0, len(ids), most))


def _keep(span: Span, start: datetime, found: Mapping[UUID, Mapping[str, Any]]) -> int:
    many_rows.insert(
        UsageSummary,
        [
            {
                "placement": placement_id,
                "step_s": span.step_s,
                "at": start,
                "content": json.dumps(content, separators=(",", ":")),
            }
            for placement_id, content in found.items()
        ],
        instead_of=("placement", "step_s", "at"),
    )
    return len(found)
