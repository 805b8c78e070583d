"""This will make the transactions that concern one machine wait for each other in one order."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from marketplace.domain.matching import Slice
from marketplace.kept_sql import kept
from marketplace.machines.models import Machine


def lock(*, machine_id: UUID) -> None:
    """Lock the machine's row until the transaction ends: before its placements, these before money.

    Two transactions that take the same rows in different orders would stop each other
    (tests/concurrency/test_sync_races.py). SQLite has one writer, so nothing happens there.
    """
    list(_locked([machine_id]))


@kept(Machine)
def _locked(rows: QuerySet[Machine], _now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
    return rows.select_for_update().order_by("id").values_list("id")


def lock_where_open(*, machine_id: UUID, asked: Slice) -> bool:
    """Lock a machine if it may have room for so much, whoever is outbid; return whether it may.

    Where many want one machine, who comes once it is taken does not wait for its row. Who waited
    already and is told False may hold the row until the transaction ends, and may not.
    """
    needed = {
        "cpus": asked.cpus,
        "memory_bytes": asked.memory_bytes,
        "gpus": asked.gpus,
    }
    # Of what is not asked for there may be less than nothing.
    fits = {
        f"{name}_free__gte": amount - F(f"{name}_interruptible")
        for name, amount in needed.items()
        if amount
    }
    rows = Machine.objects.select_for_update().filter(
        id=machine_id, disk_bytes_free__gte=asked.disk_bytes, **fits
    )
    return rows.order_by("id").values("id").first() is not None
