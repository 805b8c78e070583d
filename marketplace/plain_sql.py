"""This will run statements that are written once, where Django would write them anew each time.

That costs more than all else of a small transaction: of placing a workload four fifths of its time
(benchmarks/reserve.py). For what is done often and is easy to read as SQL; else use query sets.
"""

from functools import cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, models

#: what the databases say differently; a statement has these names in braces
WORDS = {
    "postgresql": {
        "now": "statement_timestamp()",
        "json_at": "jsonb_path_query_first",
        # Of each name a value, which are told as two arrays.
        "pairs": "unnest(%(keys)s::uuid[], %(values)s::text[]) AS told (key, value)",
        # Such a value as a moment, to compare with one of a row.
        "told_moment": "told.value::timestamptz",
        # What a machine's reading (t) says of a placement (p).
        "of_placement": "(t.content #> ARRAY['placements', p.id::text])::text",
        # Another number where one of the columns between the two is another.
        "digest": "hash_record_extended(ROW(",
        "digested": "), 0)::text",
    },
    "sqlite": {
        "now": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
        "json_at": "json_extract",
        "pairs": "json_each(%(pairs)s) AS told",
        "told_moment": "told.value",
        "of_placement": "json_extract(t.content, '$.placements.\"' || substr(p.id, 1, 8) || '-'"
        " || substr(p.id, 9, 4) || '-' || substr(p.id, 13, 4) || '-' || substr(p.id, 17, 4)"
        " || '-' || substr(p.id, 21) || '\"')",
        "digest": "MD5(json_array(",
        "digested": "))",
    },
}


def fetch(statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return the rows that the statement selects, or returns of what it writes.

    ``values`` are those that it names as ``%(name)s``. JSON comes back as its text.
    """
    native = connection.features.has_native_uuid_field
    told = {
        name: value.hex if isinstance(value, UUID) and not native else value
        for name, value in values.items()
    }
    with connection.cursor() as cursor:
        cursor.execute(_worded(statement, connection.vendor), told)
        return list(cursor.fetchall())


def add(row: models.Model) -> None:
    """Insert a new row as ``save`` would; a number that the database gives it is not read back."""
    # Not the one that looks anew each time which thread it is in.
    own = connections[DEFAULT_DB_ALIAS]
    # What is left out is NULL, and what has more than 50 values psycopg parses anew each time.
    told = {
        str(field.column): field.get_db_prep_save(value, own)
        for field in row._meta.concrete_fields
        if (value := getattr(row, field.attname)) is not None
    }
    with connection.cursor() as cursor:
        cursor.execute(_insert(row._meta.db_table, tuple(told)), list(told.values()))
    row._state.adding = False
    row._state.db = connection.alias


@cache
def _worded(statement: str, vendor: str) -> str:
    return statement.format_map(WORDS[vendor])


@cache
def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(["%s"] * len(columns))
    return f'INSERT INTO "{table}" ({names}) VALUES ({values})'  # noqa: S608
