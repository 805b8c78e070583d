"""What runs again and again reads an index of what is left, never all the past."""

from collections.abc import Callable
from copy import copy
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.console.reports import waiting
from marketplace.domain.placement import PlacementState
from marketplace.machines.models import Machine
from marketplace.machines.queries import changed_revisions
from marketplace.metering.queries import delivered
from marketplace.placements.models import Placement
from marketplace.placements.queries import desired
from marketplace.rentals import rental_reports
from marketplace.rentals.actions.expire import expire
from protocol.agent import Want
from tests.marketplace.scene import NOW, after, machine, placement

pytestmark = pytest.mark.django_db


def plan_of(call: Callable[[], object]) -> str:
    """Return how the database would answer the one question that ``call`` asks."""
    with CaptureQueriesContext(connection) as asked:
        call()
    (query,) = asked.captured_queries
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
            # A table of no rows is read whole; what matters is that the index can be used.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explain} {query['sql']}")
        return "\n".join(str(row) for row in cursor.fetchall())


def past(machine_id: UUID, *, placements: int) -> None:
    """Leave so many placements of the machine that are long over."""
    one = placement(Machine.objects.get(id=machine_id))
    rows = []
    for _ in range(placements):
        one.id = uuid4()
        one.state, one.deadline_at, one.want = PlacementState.RELEASED, None, Want.END
        one.ended_at = one.gone_at = one.freed_at = NOW
        rows.append(copy(one))
    Placement.objects.bulk_create(rows)


def test_what_a_machine_shall_run_is_not_sought_in_its_past() -> None:
    on = machine()
    past(on.id, placements=200)
    assert "placement_not_gone" in plan_of(lambda: desired(on.id, NOW))


@pytest.mark.parametrize(
    ("call", "index"),
    [
        (lambda: changed_revisions([], []), "machine_desired"),
        (lambda: expire(now=NOW), "placement_paid_out"),
        (lambda: delivered(NOW, after(60)), "interval_counted"),
        (lambda: rental_reports.taken(1), "rental_report_taken"),
        (lambda: waiting(), "rental_report_waiting"),
    ],
    ids=["changed", "expire", "delivered", "taken", "waiting"],
)
def test_it_reads_its_index(call: Callable[[], object], index: str) -> None:
    assert index in plan_of(call)
