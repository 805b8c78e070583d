"""This will add or change many rows by one statement, each with values of its own.

Django's own ways cost as much as all the rest of a sync: ``bulk_update`` writes a CASE for each
value, and ``bulk_create`` lets psycopg look three times through each list of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

#: of one row: column by name of its field
Values = Mapping[str, Any]


def update(model: type[models.Model], rows: Mapping[Any, Values]) -> None:
    """Give each row, by primary key, its values; all name the same fields, and none a JSON one.

    Lock the rows first, in order: one statement takes them as it finds them.
    """
    if not rows:
        return
    names, key = [*next(iter(rows.values()))], model._meta.pk
    fields = [*_fields(model, names), key]
    table, *columns = _quoted(model._meta.db_table, *(field.column for field in fields))
    told = [[*values.values(), key] for key, values in rows.items()]
    if connection.vendor == "postgresql":
        changes = ", ".join(f"{column} = told.{column}" for column in columns[:-1])
        _from_arrays(
            f"UPDATE {table} SET {changes} FROM {{}} AS told ({', '.join(columns)})"  # noqa: S608
            f" WHERE {table}.{columns[-1]} = told.{columns[-1]}",
            fields,
            told,
        )
    else:
        changes = ", ".join(f"{column} = %s" for column in columns[:-1])
        statement = f"UPDATE {table} SET {changes} WHERE {columns[-1]} = %s"  # noqa: S608
        _one_by_one(statement, fields, told)


def insert(
    model: type[models.Model], rows: Sequence[Values], *, instead_of: Sequence[str] = ()
) -> None:
    """Add rows; all name the same fields, a JSON one has its text, and the database numbers them.

    ``instead_of``: a row that is there and has the same in these fields gets the other values. No
    two of ``rows`` may be alike in them.
    """
    if not rows:
        return
    names = list(rows[0])
    fields = _fields(model, names)
    table, *columns = _quoted(model._meta.db_table, *(field.column for field in fields))
    told = [list(values.values()) for values in rows]
    statement = f"INSERT INTO {table} ({', '.join(columns)}) {{}}"
    if instead_of:
        kept = _quoted(*(str(field.column) for field in _fields(model, instead_of)))
        changes = [f"{column} = excluded.{column}" for column in columns if column not in kept]
        statement += f" ON CONFLICT ({', '.join(kept)}) DO UPDATE SET {', '.join(changes)}"
    if connection.vendor == "postgresql":
        _from_arrays(statement.format("SELECT * FROM {}"), fields, told)
    else:
        values = f"VALUES ({', '.join(['%s'] * len(columns))})"
        _one_by_one(statement.format(values), fields, told)


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    by_name = {field.name: field for field in model._meta.concrete_fields}
    return [by_name[name] for name in names]


def _quoted(*names: object) -> list[str]:
    return [connection.ops.quote_name(str(name)) for name in names]


def _from_arrays(statement: str, fields: Sequence[Any], told: Sequence[Sequence[Any]]) -> None:
    """One statement: for as many rows as come, PostgreSQL reads one text and plans once."""
    # Without a length: a cast to one would cut a longer text silently.
    kinds = (str(field.db_type(connection)).split("(")[0] for field in fields)
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(f"unnest({arrays})"),
            [_array(column) for column in zip(*told, strict=True)],
        )


def _array(values: Sequence[object]) -> str:
    """Return the values as PostgreSQL writes an array; psycopg looks through each three times."""
    return "{" + ",".join("NULL" if value is None else _element(value) for value in values) + "}"


def _element(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _one_by_one(statement: str, fields: Sequence[Any], told: Sequence[Sequence[Any]]) -> None:
    """One prepared statement, row by row: SQLite is in this process, so that each costs no way."""
    with connection.cursor() as cursor:
        cursor.executemany(statement, [_prepared(fields, values) for values in told])


def _prepared(fields: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    return [
        value if isinstance(field, models.JSONField) else field.get_db_prep_save(value, connection)
        for field, value in zip(fields, values, strict=True)
    ]
