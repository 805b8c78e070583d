import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from marketplace import many_rows
from marketplace.machines.models import Machine
from marketplace.metering.models import SignedIntervalRow
from marketplace.placements.models import Placement
from marketplace.telemetry.models import Reading
from tests.marketplace.scene import machine, placement

pytestmark = pytest.mark.django_db
LATER = datetime(2027, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_each_row_has_its_own_values_and_the_others_theirs() -> None:
    first, second, other = machine(), machine(), machine()
    told: dict[Any, dict[str, Any]] = {
        first.id: {"boot_id": 'a "quoted", {one}\\ NULL', "online": False, "last_seen_at": LATER},
        second.id: {"boot_id": "", "online": True, "last_seen_at": LATER},
    }
    many_rows.update(Machine, told)
    for on, values in zip((first, second), told.values(), strict=True):
        on.refresh_from_db()
        assert {name: getattr(on, name) for name in values} == values
    was = other.last_seen_at
    other.refresh_from_db()
    assert (other.boot_id, other.last_seen_at) == ("boot-1", was)


def test_nothing_is_written_as_nothing() -> None:
    it = placement(machine())
    Placement.objects.update(look_due_at=LATER, ssh_port=7)
    many_rows.update(Placement, {it.id: {"look_due_at": None, "ssh_port": None}})
    it.refresh_from_db()
    assert (it.look_due_at, it.ssh_port) == (None, None)


def test_no_rows_are_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        many_rows.update(Machine, {})


def test_what_does_not_fit_is_not_cut() -> None:
    on = machine()
    longer = "v" * 41
    if connection.vendor == "postgresql":
        with pytest.raises(DatabaseError):
            many_rows.update(Machine, {on.id: {"agent_version": longer}})
    else:
        # SQLite knows no lengths; what a message may hold is what keeps them there.
        many_rows.update(Machine, {on.id: {"agent_version": longer}})
        assert Machine.objects.get(id=on.id).agent_version == longer


def test_rows_are_added_and_numbered() -> None:
    it = placement(machine())
    told = [
        {
            "placement": it.id,
            "sequence": sequence,
            "signed": json.dumps({"text": 'a "quoted", {one}\\ NULL', "none": None}),
            "unbroken_from_age_ms": 0,
            "received_at": LATER,
            "billable_from": None,
            "billable_to": LATER if sequence else None,
        }
        for sequence in range(2)
    ]
    told[1]["billable_from"] = LATER - timedelta(seconds=1)
    many_rows.insert(SignedIntervalRow, told)
    rows = list(SignedIntervalRow.objects.order_by("id"))
    assert [row.signed for row in rows] == [json.loads(str(row["signed"])) for row in told]
    for name in ("sequence", "received_at", "billable_from", "billable_to"):
        assert [getattr(row, name) for row in rows] == [row[name] for row in told]


def test_a_row_that_is_there_gets_the_values_of_the_one_alike() -> None:
    first, second = machine(), machine()
    for those, content in (((first, second), '{"load": 1}'), ((first,), '{"load": 2}')):
        rows = [{"machine": on.id, "slot": 3, "at": LATER, "content": content} for on in those]
        many_rows.insert(Reading, rows, instead_of=("machine", "slot"))
    contents = dict(Reading.objects.values_list("machine_id", "content"))
    assert contents == {first.id: {"load": 2}, second.id: {"load": 1}}


def test_no_rows_are_not_added(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        many_rows.insert(Reading, [])
