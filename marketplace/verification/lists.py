"""This will read several rows that belong to each of many in the query that reads these."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, JSONField, QuerySet, Subquery
from django.db.models.sql.compiler import SQLCompiler


class ListOf(Subquery):
    """One column of a few rows, as a JSON list in their order; None or empty: there are none.

    The rows are found once, by an index, for each row of the query around it: SQLite has no LATERAL
    join, and a subquery for each place in the list would be found, and written, as many times.
    """

    template = "(SELECT JSONB_AGG(listed.value) FROM (%(subquery)s) AS listed)"
    output_field = JSONField()

    def __init__(self, rows: "QuerySet[Any]", column: str, *, most: int) -> None:
        super().__init__(rows.values(value=F(column))[:most])

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return it in SQLite's words, which keeps JSON as text."""
        template = "(SELECT JSON_GROUP_ARRAY(JSON(listed.value)) FROM (%(subquery)s) AS listed)"
        return self.as_sql(compiler, connection, template=template, **context)
