from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection

from marketplace.machines.models import Machine
from marketplace.moments import Moments
from tests.marketplace.scene import machine

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 120_000, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_a_moment_is_read_as_it_was_written(moment: datetime) -> None:
    on = machine()
    Machine.objects.filter(id=on.id).update(last_seen_at=moment)
    read = Machine.objects.values_list("last_seen_at", flat=True).get(id=on.id)
    assert (read, read.utcoffset()) == (moment, timedelta(0))


def test_postgresql_is_read_by_it_and_no_moment_is_none() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            found = cursor.connection.adapters.get_loader(1184, 0)
            assert found is Moments
        cursor.execute("SELECT CAST(NULL AS timestamp)")
        assert cursor.fetchone() == (None,)
