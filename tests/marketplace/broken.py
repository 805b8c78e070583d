"""This will break one row of the database, so that nothing can change it."""

from django.db import connection, models

SQLITE = """
CREATE TRIGGER broken BEFORE UPDATE ON {table} WHEN OLD.{column} = '{key}'
BEGIN SELECT RAISE(ABORT, 'This row is broken.'); END
"""
POSTGRESQL = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'This row is broken.'; END $$;
CREATE TRIGGER broken BEFORE UPDATE ON {table} FOR EACH ROW WHEN (OLD.{column} = '{key}')
EXECUTE FUNCTION broken()
"""


def break_row(row: models.Model) -> None:
    """Have every change of this row fail until the test's transaction is rolled back."""
    statement = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    with connection.cursor() as cursor:
        named = {"table": row._meta.db_table, "column": row._meta.pk.column}
        cursor.execute(statement.format(**named, key=row.pk.hex))
