"""This will keep beside each offer whether its machine has room, by triggers of PostgreSQL.

On SQLite ``offers.room`` makes them after each migrate, as a rebuilt table loses its own. Whatever
code runs meanwhile, the column is true from here on.
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROOM = """
{machine}.cpus_free + {machine}.cpus_interruptible >= {greatest}({offer}.cpus_min, 1)
AND {machine}.memory_bytes_free + {machine}.memory_bytes_interruptible >= 67108864
AND {machine}.disk_bytes_free >= 268435456
AND {greatest}({machine}.gpus_free + {machine}.gpus_interruptible, 0)
    >= {greatest}({offer}.gpus_min, {least}({machine}.gpus_total, 1))
"""
WORDS = {
    "postgresql": {"greatest": "greatest", "least": "least"},
    "sqlite": {"greatest": "max", "least": "min"},
}
#: Rentals take the machine first, and the offer then. Until the column is filled nothing moves.
LOCK = "LOCK TABLE machines_machine, offers_offer IN ACCESS EXCLUSIVE MODE"
#: Each statement of such a function sees what others committed while its machine was waited for.
TRIGGERS = """
CREATE FUNCTION machine_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE offers_offer AS offer SET has_room = NOT has_room
    WHERE offer.machine_id = NEW.id AND offer.has_room <> ({moved});
    RETURN NULL;
END $$;
CREATE TRIGGER machine_room AFTER UPDATE OF
    gpus_total, gpus_free, gpus_interruptible, cpus_free, cpus_interruptible,
    memory_bytes_free, memory_bytes_interruptible, disk_bytes_free ON machines_machine
FOR EACH ROW EXECUTE FUNCTION machine_room();
CREATE FUNCTION offer_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    SELECT {least} INTO NEW.has_room FROM machines_machine AS machine
    WHERE machine.id = NEW.machine_id FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
CREATE TRIGGER offer_room BEFORE INSERT OR UPDATE OF cpus_min, gpus_min ON offers_offer
FOR EACH ROW EXECUTE FUNCTION offer_room();
"""
FILL = """
UPDATE offers_offer SET has_room = false WHERE NOT (
    SELECT {room} FROM machines_machine AS machine WHERE machine.id = offers_offer.machine_id
)
"""


def lock(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Let nothing move while the column is made."""
    if editor.connection.vendor == "postgresql":
        editor.execute(LOCK)


def keep(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the triggers, and write down which machines are full."""
    words = WORDS[editor.connection.vendor]
    if editor.connection.vendor == "postgresql":
        moved = ROOM.format(machine="NEW", offer="offer", **words)
        least = ROOM.format(machine="machine", offer="NEW", **words)
        editor.execute(TRIGGERS.format(moved=moved, least=least))
    room = ROOM.format(machine="machine", offer="offers_offer", **words)
    editor.execute(FILL.format(room=room))


def drop(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers."""
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION machine_room() CASCADE")
        editor.execute("DROP FUNCTION offer_room() CASCADE")


class Migration(migrations.Migration):
    """One column."""

    dependencies = [
        ("machines", "0003_interruptible"),
        ("offers", "0008_country_and_line"),
    ]
    operations = [
        migrations.RunPython(lock, migrations.RunPython.noop),
        migrations.AddField(
            model_name="offer",
            name="has_room",
            field=models.BooleanField(db_default=True, default=True, editable=False),
        ),
        migrations.RunPython(keep, drop),
    ]
