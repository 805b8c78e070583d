"""This will make SQLite refuse to remove a transfer too, as PostgreSQL does since 0002.

A later migration that rebuilds the table on SQLite loses both triggers and must make them again;
tests/marketplace/ledger/test_models.py tells when that was forgotten. Tests empty their tables
past it (tests/emptied.py); ``manage.py flush`` of a site with transfers fails.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = """
CREATE TRIGGER transfer_kept BEFORE DELETE ON ledger_transfer
BEGIN SELECT RAISE(ABORT, 'a transfer cannot be changed'); END
"""


def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the trigger where 0002 left it out."""
    if editor.connection.vendor == "sqlite":
        editor.execute(SQLITE)


def unguard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the trigger."""
    if editor.connection.vendor == "sqlite":
        editor.execute("DROP TRIGGER transfer_kept")


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("ledger", "0009_audits_cleared")]
    operations = [migrations.RunPython(guard, unguard)]
