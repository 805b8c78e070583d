"""What runs again and again reads an index of what is left, never all the past."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.machines.queries import changed_revisions
from marketplace.metering.queries import delivered
from marketplace.placements.queries import desired
from marketplace.rentals.actions.expire import expire
from tests.marketplace.scene import NOW, after

pytestmark = pytest.mark.django_db


def plan_of(call: Callable[[], object]) -> str:
    """Return how the database would answer the one question that ``call`` asks."""
    with CaptureQueriesContext(connection) as asked:
        call()
    (query,) = asked.captured_queries
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A table of no rows is read whole; what matters is that the index can be used.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explain} {query['sql']}")
        return "\n".join(str(row) for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("call", "index"),
    [
        (lambda: desired(UUID(int=1), NOW), "placement_not_gone"),
        (lambda: changed_revisions([], []), "machine_desired"),
        (lambda: expire(now=NOW), "placement_paid_out"),
        (lambda: delivered(NOW, after(60)), "interval_counted"),
    ],
    ids=["desired", "changed", "expire", "delivered"],
)
def test_it_reads_its_index(call: Callable[[], object], index: str) -> None:
    assert index in plan_of(call)
