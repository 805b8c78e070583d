"""This will make the transactions that concern some placements wait for each other in one order."""

from collections.abc import Collection
from uuid import UUID

from marketplace.placements.models import Placement


def lock(*, placement_ids: Collection[UUID]) -> None:
    """Lock placements until the transaction ends: after their machines, before meters and money.

    Two transactions that take the same rows in different orders would stop each other
    (tests/concurrency/test_sync_races.py). SQLite has one writer, so nothing happens there.
    """
    if placement_ids:
        rows = Placement.objects.select_for_update(no_key=True).filter(id__in=placement_ids)
        list(rows.order_by("id").values_list("id", flat=True))
