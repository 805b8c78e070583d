"""This will empty tables between tests by their rows, past what keeps some of them for ever.

On PostgreSQL TRUNCATE gives each table, each index and each part for long values a new file, which
takes seconds with a hundred tables, of which a test has written to a few. It needs a superuser, as
``scripts/with_postgresql.py`` makes one.

What a migration leaves there stays: to find out that nothing is missing takes as long as a test.
"""

from collections.abc import Sequence
from typing import Any

from django.core.management.commands import flush
from django.db.backends.base.base import BaseDatabaseWrapper

#: the names of models and of what may be done with them, which Django writes after a migration
KEPT = frozenset({"auth_permission", "django_content_type"})
#: longer than anything that a test begins
LOCK_S = 120


def empty_by_rows(connection: BaseDatabaseWrapper) -> None:
    """Let Django's ``flush`` of this connection delete rows, where there may be any."""
    flush.emit_post_migrate_signal = lambda *told: None
    if connection.vendor == "sqlite":
        _empty_sqlite(connection)
        return

    def sql_flush(style: Any, tables: Sequence[str], **how: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
                " AND relname = ANY(%s) AND pg_relation_size(oid) > 0 ORDER BY relname",
                [[name for name in tables if name not in KEPT]],
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


def _empty_sqlite(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers off for the moment: SQLite has no way to pass by one.

    Of all connections there will be: where Playwright's event loop runs, Django opens another one.
    """
    operations = type(connection.ops)
    delete = operations.sql_flush

    def sql_flush(ops: Any, style: Any, tables: Sequence[str], **how: Any) -> list[str]:
        with ops.connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
                " AND sql LIKE '% BEFORE DELETE %' ORDER BY name"
            )
            guards = [
                (name, sql) for name, table, sql in cursor.fetchall() if _has_rows(cursor, table)
            ]
        return [
            *(f"DROP TRIGGER {name}" for name, _ in guards),
            *delete(ops, style, [name for name in tables if name not in KEPT], **how),
            *(sql for _, sql in guards),
        ]

    operations.sql_flush = sql_flush  # type: ignore[method-assign]


def _has_rows(cursor: Any, table: str) -> bool:
    cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')
    return bool(cursor.fetchone()[0])
