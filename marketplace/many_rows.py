"""This will change many rows by one statement, each to values of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

#: of one row: column by name of its field
Values = Mapping[str, Any]


def update(model: type[models.Model], rows: Mapping[Any, Values]) -> None:
    """Give each row, by primary key, its values; all name the same fields, and none a JSON one.

    Lock the rows first, in order: one statement takes them as it finds them. Django's own
    ``bulk_update`` writes a CASE for each value, which costs as much as all the rest of a sync.
    """
    if not rows:
        return
    by_name = {field.name: field for field in model._meta.concrete_fields}
    names = list(next(iter(rows.values())))
    fields = [by_name[name] for name in names] + [model._meta.pk]
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = [quote(str(field.column)) for field in fields]
    if connection.vendor == "postgresql":
        # Without a length: a cast to one would cut a longer text silently.
        kinds = [f"{str(field.db_type(connection)).split('(')[0]}[]" for field in fields]
        told = [[*values.values(), key] for key, values in rows.items()]
        _from_arrays(table, columns, kinds, told)
    else:
        _one_by_one(table, columns, [_prepared(fields, *row) for row in rows.items()])


def _from_arrays(
    table: str, columns: Sequence[str], kinds: Sequence[str], told: Sequence[Sequence[Any]]
) -> None:
    """One statement: for as many rows as come, PostgreSQL reads one text and plans once."""
    changes = ", ".join(f"{column} = told.{column}" for column in columns[:-1])
    arrays = ", ".join(f"%s::{kind}" for kind in kinds)
    key = columns[-1]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {changes} FROM unnest({arrays})"  # noqa: S608
            f" AS told ({', '.join(columns)}) WHERE {table}.{key} = told.{key}",
            [_array(column) for column in zip(*told, strict=True)],
        )


def _array(values: Sequence[object]) -> str:
    """Return the values as PostgreSQL writes an array; psycopg looks through each three times."""
    return "{" + ",".join("NULL" if value is None else _element(value) for value in values) + "}"


def _element(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _prepared(fields: Sequence[Any], key: object, values: Values) -> list[object]:
    told = [*values.values(), key]
    return [
        field.get_db_prep_save(value, connection) for field, value in zip(fields, told, strict=True)
    ]


def _one_by_one(table: str, columns: Sequence[str], told: Sequence[Sequence[Any]]) -> None:
    """One prepared statement, row by row: SQLite is in this process, so that each costs no way."""
    changes = ", ".join(f"{column} = %s" for column in columns[:-1])
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {changes} WHERE {columns[-1]} = %s", told)  # noqa: S608
