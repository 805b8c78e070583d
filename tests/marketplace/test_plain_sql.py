"""Statements that are written once do what Django's do, on both databases."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from marketplace import plain_sql
from marketplace.machines.models import Machine
from marketplace.placements.models import Placement, PlacementEvent
from tests.marketplace.scene import NOW, after, machine, placement

pytestmark = pytest.mark.django_db


def as_django_adds(row: Any) -> dict[str, Any]:
    """Return the row's values, once Django has added the same row under another id."""
    values = {one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields}
    twin = type(row).objects.create(**values | {"id": uuid4()})
    found: dict[str, Any] = type(row).objects.filter(id=twin.id).values().get()
    return found | {"id": row.id}


def test_a_row_is_added_as_django_adds_it() -> None:
    made = placement(machine())
    row = Placement.objects.get(id=made.id)
    row.id, row.authorized_keys = uuid4(), ['a "key"', "it's 100 %s", "\\"]
    row.former_workload, row.exit_code = {"ports": [1]}, None
    row.running_at, row.reason = datetime(2027, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), "{now}"
    plain_sql.add(row)
    assert Placement.objects.filter(id=row.id).values().get() == as_django_adds(row)


def test_an_added_row_is_changed_and_not_added_again() -> None:
    made = placement(machine())
    made.reason = "Changed."
    made.save()
    assert Placement.objects.get().reason == "Changed."


def test_the_database_numbers_what_has_no_number() -> None:
    made = placement(machine())
    for at in (NOW, after(1)):
        event = PlacementEvent(placement=made, at=at, event="seen", new_state="running")
        plain_sql.add(event)
    seen = PlacementEvent.objects.filter(event="seen")
    assert list(seen.order_by("id").values_list("at", flat=True)) == [NOW, after(1)]


def test_a_row_that_is_there_is_not_added() -> None:
    made = placement(machine())
    with pytest.raises(IntegrityError), transaction.atomic():
        plain_sql.add(Placement.objects.get(id=made.id))


def test_what_a_statement_finds_comes_back_and_values_are_never_part_of_it() -> None:
    on = machine()
    statement = 'SELECT address FROM "machines_machine" WHERE id = %(id)s AND boot_id = %(boot)s'
    assert plain_sql.fetch(statement, id=on.id, boot="boot-1") == [("127.0.0.1",)]
    assert plain_sql.fetch(statement, id=on.id, boot="' OR '1' = '1") == []
    assert plain_sql.fetch(statement, id=uuid4(), boot="boot-1") == []


def test_a_part_of_json_comes_back_as_its_text() -> None:
    made = placement(machine())
    Placement.objects.filter(id=made.id).update(workload={"ports": [80, 443]})
    statement = """SELECT {json_at}(workload, '$.ports'), {json_at}(former_workload, '$.ports')
        FROM "placements_placement" WHERE id = %(id)s"""
    ((now, before),) = plain_sql.fetch(statement, id=made.id)
    assert (now.replace(" ", ""), before) == ("[80,443]", None)


def test_its_now_is_djangos_now() -> None:
    on = machine()
    Machine.objects.update(desired_at=datetime(2999, 1, 1, tzinfo=UTC))
    statement = 'UPDATE "machines_machine" SET desired_at = {now} WHERE id = %(id)s RETURNING id'
    assert len(plain_sql.fetch(statement, id=on.id)) == 1
    assert Machine.objects.filter(desired_at__lte=Now(), desired_at__gt=on.desired_at).exists()
