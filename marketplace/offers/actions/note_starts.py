"""This will write down how rentals of each machine begin, by which offers are shown and sorted."""

from collections.abc import Mapping
from itertools import islice
from uuid import UUID

from django.db import transaction

from marketplace import many_rows
from marketplace.domain.starts import Starts
from marketplace.offers.models import UNMEASURED, Offer

OFFERS_AT_ONCE = 500
NONE = Starts(None, None, came_up=0, failed=0)
COLUMNS = ("start_p50_ms", "start_p95_ms", "starts", "starts_failed", "starts_ours")


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
        changed += _write(changes)
    return changed


def _write(changes: Mapping[UUID, Mapping[str, int]]) -> int:
    """Write what nobody else has locked now; the next pass finds the rest.

    Whoever gives back what rentals held of several machines takes their offers in that order
    (tests/concurrency/test_room.py), so nothing here waits for one offer while it holds another.
    """
    offers = Offer.objects.select_for_update(no_key=True, skip_locked=True).filter(id__in=changes)
    with transaction.atomic():
        own = set(offers.order_by("id").values_list("id", flat=True))
        many_rows.update(Offer, {key: row for key, row in changes.items() if key in own})
    return len(own)


def _columns(of: Starts) -> dict[str, int]:
    p50, p95 = (UNMEASURED if ms is None else ms for ms in (of.p50_ms, of.p95_ms))
    return dict(zip(COLUMNS, (p50, p95, of.came_up, of.failed, of.ours), strict=True))
