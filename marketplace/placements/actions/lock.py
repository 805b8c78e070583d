"""This will make the transactions that concern some placements wait for each other in one order."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.kept_sql import kept
from marketplace.placements.models import Placement


def lock(*, placement_ids: Collection[UUID]) -> dict[UUID, str]:
    """Lock placements until the transaction ends: after their machines, before meters and money.

    Return what state each of them is in.

    Two transactions that take the same rows in different orders would stop each other
    (tests/concurrency/test_sync_races.py). SQLite has one writer, so nothing happens there.
    """
    return dict(_locked(placement_ids))


@kept(Placement)
def _locked(rows: QuerySet[Placement], _now: datetime) -> QuerySet[Placement, tuple[Any, ...]]:
    return rows.select_for_update(no_key=True).order_by("id").values_list("id", "state")
