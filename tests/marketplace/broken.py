"""This will break one row of the database, so that nothing can change it."""

from django.db import connection, models

SQLITE = """
CREATE TRIGGER broken BEFORE UPDATE ON {table} WHEN OLD.id = '{key}'
BEGIN SELECT RAISE(ABORT, 'This row is broken.'); END
"""
POSTGRESQL = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'This row is broken.'; END $$;
CREATE TRIGGER broken BEFORE UPDATE ON {table} FOR EACH ROW WHEN (OLD.id = '{key}')
EXECUTE FUNCTION broken()
"""


def break_row(row: models.Model) -> None:
    """Have every change of this row fail until the test's transaction is rolled back."""
    statement = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    with connection.cursor() as cursor:
        cursor.execute(statement.format(table=row._meta.db_table, key=row.pk.hex))
