"""This will write down how rentals of each machine begin, by which offers are shown and sorted."""

from collections.abc import Mapping
from itertools import islice
from uuid import UUID

from marketplace import many_rows
from marketplace.domain.starts import Starts
from marketplace.offers.models import UNMEASURED, Offer

OFFERS_AT_ONCE = 500
NONE = Starts(None, None, came_up=0, failed=0)
COLUMNS = ("start_p50_ms", "start_p95_ms", "starts", "starts_failed")


def note_starts(found: Mapping[UUID, Starts]) -> int:
    """Return how many offers changed; machines that are not in ``found`` had no rental lately."""
    rows = Offer.objects.order_by("id").values_list("id", "machine_id", *COLUMNS)
    offers, changed = rows.iterator(chunk_size=OFFERS_AT_ONCE), 0
    while some := list(islice(offers, OFFERS_AT_ONCE)):
        changes = {}
        for offer_id, machine_id, *kept in some:
            columns = _columns(found.get(machine_id, NONE))
            if list(columns.values()) != kept:
                changes[offer_id] = columns
        many_rows.update(Offer, changes)
        changed += len(changes)
    return changed


def _columns(of: Starts) -> dict[str, int]:
    p50, p95 = (UNMEASURED if ms is None else ms for ms in (of.p50_ms, of.p95_ms))
    return dict(zip(COLUMNS, (p50, p95, of.came_up, of.failed), strict=True))
