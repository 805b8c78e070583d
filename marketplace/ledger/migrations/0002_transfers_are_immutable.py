"""This will make the database itself refuse a change to a transfer.

A later migration that rebuilds the table on SQLite loses the trigger and must make it again;
tests/marketplace/ledger/test_models.py tells when that was forgotten. On SQLite rows could be removed
until 0010.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = """
CREATE TRIGGER transfer_immutable BEFORE UPDATE ON ledger_transfer
BEGIN SELECT RAISE(ABORT, 'a transfer cannot be changed'); END
"""
POSTGRESQL = """
CREATE FUNCTION transfer_immutable() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a transfer cannot be changed'
   USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER transfer_immutable BEFORE UPDATE OR DELETE ON ledger_transfer
FOR EACH ROW EXECUTE FUNCTION transfer_immutable();
"""


def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the trigger."""
    editor.execute(POSTGRESQL if editor.connection.vendor == "postgresql" else SQLITE)


def unguard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the trigger."""
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION transfer_immutable() CASCADE")
    else:
        editor.execute("DROP TRIGGER transfer_immutable")


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("ledger", "0001_accounts_transfers_holds")]
    operations = [migrations.RunPython(guard, unguard)]
