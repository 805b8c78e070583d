"""This will make SQLite refuse to remove an act too, as PostgreSQL does since 0002.

A later migration that rebuilds the table on SQLite loses both triggers and must make them again;
tests/marketplace/oversight/test_acts.py tells when that was forgotten. Tests empty their tables
past it (tests/emptied.py); ``manage.py flush`` of a site with acts fails.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = """
CREATE TRIGGER act_kept BEFORE DELETE ON oversight_act
BEGIN SELECT RAISE(ABORT, 'an act cannot be changed'); END
"""


def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the trigger where 0002 left it out."""
    if editor.connection.vendor == "sqlite":
        editor.execute(SQLITE)


def unguard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the trigger."""
    if editor.connection.vendor == "sqlite":
        editor.execute("DROP TRIGGER act_kept")


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("oversight", "0005_pass_runs")]
    operations = [migrations.RunPython(guard, unguard)]
