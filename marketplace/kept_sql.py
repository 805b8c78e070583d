"""This will keep the SQL that Django wrote for a query, where it would write it anew each time.

Of a few rows, to write a query with many parts takes several times as long as to answer it. For
what is asked often and reads better as a query set than as a statement (plain_sql).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError

Rows = Iterable[tuple[Any, ...]]
Query = QuerySet[Any, tuple[Any, ...]]
#: A statement is kept for each number of rows up to this. Of more, writing it is the lesser part.
FEW = 20
#: Stand in a statement that is kept for now, and the lowest ids for those that are asked of: a
#: condition with a constant as late, or an id as low, has no place in a query that is kept.
MOMENT = datetime(9000, 1, 1, tzinfo=UTC)
#: The statement is written for this moment as well, which is no first of a day, a week, a month or
#: a second: what does not move along with now would be told as of another time for ever.
ODD = datetime(8999, 8, 17, 13, 37, 11, 123457, tzinfo=UTC)
#: after it a parameter tells of MOMENT
LATE = datetime(8000, 1, 1, tzinfo=UTC)


class NotKeepable(AssertionError):
    """The query makes more of now than a moment or a day that lies so far from it."""

    def __init__(self, query: "Kept | kept_of_now") -> None:
        super().__init__(
            f"{query.ask.__module__}.{query.ask.__qualname__} cannot be kept: each parameter that "
            "follows from now must be now or its day in UTC, plus or minus a constant. Round it in "
            "SQL, or take @kept away."
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A query over some rows, written once for each number of them."""

    #: whose rows the query takes; None: it takes ids
    model: type[Model] | None
    #: takes these rows, now and what more decides how the query is written
    ask: Callable[..., Query]

    def __call__(
        self, of: QuerySet[Any] | Collection[UUID], now: datetime = MOMENT, *more: int | str
    ) -> Rows:
        """Return what the query finds for these rows, or for those with these ids.

        ``now``: whatever it is, of a query that says nothing of it.
        """
        if isinstance(of, QuerySet):
            return self.ask(of, now, *more)
        if not of:
            return []
        if len(of) > FEW:
            return self.ask(self.rows(of), now, *more)
        return _write(self, len(of), more, connection.vendor).answer(list(of), now)

    def rows(self, ids: Collection[UUID]) -> QuerySet[Any] | Collection[UUID]:
        """Return what the query takes for these ids."""
        return ids if self.model is None else self.model._default_manager.filter(pk__in=ids)


@dataclass(frozen=True, slots=True)
class kept_of_now:  # noqa: N801 - it is read as a decorator
    """A query of what there is now, such as what is due, written once."""

    #: takes now and what more decides how the query is written
    ask: Callable[..., Query]

    def __call__(self, now: datetime, *more: int | str) -> Rows:
        """Return what the query finds now."""
        return _write(self, 0, more, connection.vendor).answer((), now)


def kept(model: type[Model] | None = None) -> Callable[[Callable[..., Query]], Kept]:
    """Return what makes a query of a function that takes rows of the model, or ids; and now."""
    return lambda ask: Kept(model, ask)


@dataclass(frozen=True, slots=True)
class _Written:
    compiler: SQLCompiler
    sql: str
    parameters: Sequence[Any]
    #: by the index of a parameter, the index of the id that it is
    ids: dict[int, int] = field(default_factory=dict)
    #: by the index of a parameter, how much later than now it is, or than today
    moments: dict[int, timedelta] = field(default_factory=dict)
    days: dict[int, timedelta] = field(default_factory=dict)

    @property
    def form(self) -> tuple[object, ...]:
        """What is the same whenever the query is written."""
        filled = {*self.ids, *self.moments, *self.days}
        others = [one for index, one in enumerate(self.parameters) if index not in filled]
        return self.sql, self.ids, self.moments, self.days, others

    def answer(self, ids: Sequence[UUID], now: datetime) -> Rows:
        locks = self.compiler.query.select_for_update and connection.features.has_select_for_update
        if locks and connection.get_autocommit():
            # As Django says where it writes one: the lock would be over at once.
            raise TransactionManagementError("What is kept locks nothing outside a transaction.")
        told = list(self.parameters)
        for index, number in self.ids.items():
            told[index] = _adapted_id(ids[number])
        for index, later in self.moments.items():
            told[index] = connection.ops.adapt_datetimefield_value(now + later)
        for index, later in self.days.items():
            told[index] = connection.ops.adapt_datefield_value(now.astimezone(UTC).date() + later)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, told)
            found = cursor.fetchall()
        rows = self.compiler.results_iter(results=[found], tuple_expected=True)
        return cast(Rows, rows)


# Each has its few numbers of rows; what is asked of is one machine most of the time.
@lru_cache(maxsize=200)
def _write(
    query: Kept | kept_of_now, count: int, more: tuple[int | str, ...], vendor: str
) -> _Written:
    written = _written(query, count, more, MOMENT)
    if written.form != _written(query, count, more, ODD).form:
        raise NotKeepable(query)
    return written


def _written(
    query: Kept | kept_of_now, count: int, more: tuple[int | str, ...], now: datetime
) -> _Written:
    stand_ins = [UUID(int=number) for number in range(count)]
    of = (query.rows(stand_ins),) if isinstance(query, Kept) else ()
    asked = query.ask(*of, now, *more)
    # Of the connection that this thread has whenever it answers, and not of the one it has now.
    compiler = asked.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    written = _Written(compiler, sql, parameters)
    numbers = {_adapted_id(one): number for number, one in enumerate(stand_ins)}
    for index, told in enumerate(parameters):
        if isinstance(told, str | UUID) and told in numbers:
            written.ids[index] = numbers[told]
        elif (at := _late(told)) is None:
            continue
        elif isinstance(at, datetime):
            written.moments[index] = at - now
        else:
            written.days[index] = at - now.date()
    return written


def _adapted_id(one: UUID) -> UUID | str:
    return one if connection.features.has_native_uuid_field else one.hex


def _late(told: object) -> datetime | date | None:
    """Return the moment or the day that the parameter tells, where a stand-in for now made it."""
    if isinstance(told, str):
        told = _read(told)
    if isinstance(told, datetime):
        return told if told > LATE else None
    return told if isinstance(told, date) and told > LATE.date() else None


def _read(text: str) -> datetime | date | None:
    """Return the moment or the day that SQLite's text tells, which is in UTC."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
