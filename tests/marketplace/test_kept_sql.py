"""A query that is kept answers as one written anew, whatever is asked of and whenever."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import bittensor_core
import pytest
from django.db.models import DateField, DateTimeField, QuerySet, Value

from marketplace.kept_sql import FEW, MOMENT, ODD, Kept, NotKeepable, kept_of_now
from marketplace.machines import queries as machines
from marketplace.machines.models import Machine, UptimeDay
from marketplace.verification import figures, lines, queries
from marketplace.verification.actions.admit_validator import admit
from marketplace.verification.actions.record_verdict import record
from protocol.validator import Measurement
from tests.marketplace.scene import NOW, Judge, after, machine

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
DAY_S = 86_400
#: what is asked, and what decides how it is written
ASKED: dict[str, tuple[Kept, tuple[int, ...]]] = {
    "standings": (queries._standings, (2,)),
    "looks": (figures._looks, ()),
    "speeds": (lines._speeds, ()),
    "uptimes": (machines._up_ms, ()),
    "presence": (machines._seen, ()),
}
#: when, in seconds after the machines were looked at: at once, when one of the words is over, when
#: both are and nobody spoke for a day, and later, before and after a midnight
MOMENTS_S = (0, 700, DAY_S + 1, 29 * DAY_S, 29 * DAY_S + 43_200, 31 * DAY_S)


def looked_at(count: int) -> list[UUID]:
    """Return machines that two validators looked at, one of whom is not relied on that day."""
    great, small = Judge(), Judge(bittensor_core.Keypair.create_from_uri("//small"))
    admit(hotkey=great.keypair.ss58_address, name="great", stake=90, now=NOW)
    admit(hotkey=small.keypair.ss58_address, name="small", stake=9, now=NOW)
    found = [machine() for _ in range(count)]
    for number, on in enumerate(found):
        for who, lasts_s in ((great, 600), (small, DAY_S)):
            rate = Measurement(
                cpus=4,
                cpu_hash_rate=1000 * lasts_s + number,
                network_down_mb_s=lasts_s // 100 + number,
                network_up_mb_s=3 + number,
            )
            ends = NOW_MS + lasts_s * 1000
            record(signed=who.verdict(on, measurement=rate, expires_at_ms=ends), now=NOW)
        UptimeDay.objects.bulk_create(
            UptimeDay(machine=on, day=(NOW + timedelta(days=ago)).date(), up_ms=1000 * ago + number)
            for ago in range(3)
        )
    return [on.id for on in found]


def anew(query: Kept, ids: Sequence[UUID], now: datetime, more: tuple[int, ...]) -> list[Any]:
    return list(query.ask(Machine.objects.filter(id__in=ids), now, *more))


def test_what_is_kept_answers_as_what_is_written_anew() -> None:
    first, second, third = looked_at(3)
    for query, more in ASKED.values():
        found = []
        for ids in ([first], [second], [third, first], [second, second, uuid4()]):
            for seconds in MOMENTS_S:
                now = after(seconds)
                found.append(list(query(ids, now, *more)))
                assert found[-1] == anew(query, ids, now, more)
        # Else all of it would be the same by having nothing to tell.
        assert found[0]
        assert found[0] != found[len(MOMENTS_S)]


@pytest.mark.parametrize("name", ["standings", "speeds", "uptimes"])
def test_the_moment_that_counts_is_the_one_told(name: str) -> None:
    (on,) = looked_at(1)
    query, more = ASKED[name]
    answers = {str(list(query([on], after(seconds), *more))) for seconds in MOMENTS_S}
    assert len(answers) > 1


def test_it_is_written_once_for_each_number_and_not_for_many() -> None:
    written = []

    def ask(rows: QuerySet[Machine], now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
        written.append(now)
        return rows.order_by("id").values_list("id", "enrolled_at")

    query, ids = Kept(Machine, ask), sorted(machine().id for _ in range(2))
    for _ in range(3):
        assert list(query(ids[:1], after(5))) == [(ids[0], NOW)]
        assert list(query(ids, after(6))) == [(one, NOW) for one in ids]
    # For each number of rows at the two moments that are compared.
    assert written == [MOMENT, ODD] * 2
    others = [uuid4() for _ in range(FEW)]
    assert [found for found, _ in query([*ids, *others], after(7))] == ids
    assert list(query(Machine.objects.filter(id=ids[0]), after(8))) == [(ids[0], NOW)]
    assert written[4:] == [after(7), after(8)]


def test_what_there_is_now_is_written_once_and_told_as_of_now() -> None:
    written = []

    @kept_of_now
    def heard(now: datetime, rows_max: int) -> QuerySet[Machine, tuple[Any, ...]]:
        written.append(now)
        seen = Machine.objects.filter(last_seen_at__gte=now - timedelta(seconds=30))
        return seen.order_by("id").values_list("id", "last_seen_at")[:rows_max]

    ids = sorted(machine().id for _ in range(2))
    for seconds, found in ((0, ids), (30, ids), (31, [])):
        assert list(heard(after(seconds), 2)) == [(one, NOW) for one in found]
    assert list(heard(NOW, 1)) == [(ids[0], NOW)]
    # Each number of rows at the two moments that are compared.
    assert written == [MOMENT, ODD] * 2


def midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    "made",
    [
        midnight,
        lambda now: now.replace(microsecond=0),
        lambda now: now.date().replace(day=1),
        lambda now: now.date() - timedelta(days=now.weekday()),
        lambda now: datetime(2026, 1, 1, now.hour, tzinfo=UTC),
    ],
    ids=["day", "second", "month", "week", "hour"],
)
def test_what_does_not_move_along_with_now_is_not_kept(
    made: Callable[[datetime], datetime | date],
) -> None:
    def ask(rows: QuerySet[Machine], now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
        told = made(now)
        field = DateTimeField() if isinstance(told, datetime) else DateField()
        return rows.values_list("id", Value(told, field))

    with pytest.raises(NotKeepable, match=r"ask cannot be kept"):
        Kept(Machine, ask)([uuid4()], NOW)


def test_of_nothing_nothing_is_asked(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert list(machines._seen([], NOW)) == []
