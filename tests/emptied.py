"""This will empty PostgreSQL's tables between tests by their rows.

TRUNCATE gives each table, each index and each part for long values a new file, which takes seconds
with a hundred tables, of which a test has written to a few. It needs a superuser, as
``scripts/with_postgresql.py`` makes one.
"""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

#: longer than anything that a test begins
LOCK_S = 120


def empty_by_rows(connection: BaseDatabaseWrapper) -> None:
    """Let Django's ``flush`` of this connection delete rows, where there may be any."""

    def sql_flush(style: Any, tables: Sequence[str], **how: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
                " AND relname = ANY(%s) AND pg_relation_size(oid) > 0 ORDER BY relname",
                [list(tables)],
            )
            written = [name for (name,) in cursor.fetchall()]
        if not written:
            return []
        return [
            # All rows go at once, so no order among them is to be kept; nor is what never changes.
            "SET LOCAL session_replication_role = replica",
            # What a test has left running holds its rows: this names the table.
            f"SET LOCAL lock_timeout = '{LOCK_S}s'",
            f"LOCK TABLE {', '.join(written)} IN ACCESS EXCLUSIVE MODE",
            *(f"DELETE FROM {name}" for name in written),
        ]

    connection.ops.sql_flush = sql_flush
