"""This will fill a private PostgreSQL server with many rows like one, for benchmarks of money."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from scripts.with_postgresql import server

#: as in production; what autovacuum would do falls between the rounds instead
SETTINGS = ("fsync = on", "full_page_writes = on", "autovacuum = off", "shared_buffers = '512MB'")


@contextmanager
def database() -> Iterator[str]:
    """Yield the address of a database with all tables, which the settings lead to."""
    with server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in SETTINGS:
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
        os.environ |= {"BERTH_DATABASE_URL": url, "BERTH_EMBEDDED": "1", "BERTH_LOG_LEVEL": "ERROR"}
        os.environ["BERTH_DATABASE_CONNECTIONS"] = "40"
        os.environ["DJANGO_SETTINGS_MODULE"] = "marketplace.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0)
        try:
            yield url
        finally:
            connections["default"].close()
            connections["default"].close_pool()  # type: ignore[attr-defined]


def clone(row: object, count: int = 0, *, of: str = "", **changed: str) -> None:
    """Add ``count`` rows like this one; ``changed`` are SQL, in which ``i`` counts from 1.

    ``of``: a table with a column ``i``, which gets a row for each of its own instead.
    """
    from django.db import connection, models

    assert isinstance(row, models.Model)
    table = row._meta.db_table
    columns = [field.column for field in row._meta.concrete_fields]
    if "id" not in changed:
        columns.remove("id")
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(column, f'it."{column}"') for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" AS it,'
            f" {of or f'generate_series(1, {count}) AS i'} WHERE it.id = %s",
            [row.pk],
        )


def named(kind: str, number: str = "i") -> str:
    """Return in SQL the id of the clone of this kind that has this number."""
    return f"md5('{kind}' || ({number}))::uuid"


def vacuum() -> None:
    """Do what autovacuum would do some day, and write what is dirty."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
