"""This will make the database itself refuse a change to an operator's act.

A later migration that rebuilds the table on SQLite loses the trigger and must make it again;
tests/marketplace/oversight/test_acts.py tells when that was forgotten. On SQLite rows could be
removed until 0006.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = """
CREATE TRIGGER act_immutable BEFORE UPDATE ON oversight_act
BEGIN SELECT RAISE(ABORT, 'an act cannot be changed'); END
"""
POSTGRESQL = """
CREATE FUNCTION act_immutable() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an act cannot be changed'
   USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER act_immutable BEFORE UPDATE OR DELETE ON oversight_act
FOR EACH ROW EXECUTE FUNCTION act_immutable();
"""


def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the trigger."""
    editor.execute(POSTGRESQL if editor.connection.vendor == "postgresql" else SQLITE)


def unguard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the trigger."""
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION act_immutable() CASCADE")
    else:
        editor.execute("DROP TRIGGER act_immutable")


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("oversight", "0001_acts")]
    operations = [migrations.RunPython(guard, unguard)]
