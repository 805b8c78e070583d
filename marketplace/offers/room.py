"""This will have the database itself keep beside each offer whether its machine has room.

Whatever moves what is free, or the least that a host rents out, moves ``Offer.has_room`` with it in
the same statement, and touches the offer's row only where that changes. On PostgreSQL migration
0009 makes the triggers. On SQLite a migration that rebuilds a table loses its triggers, and fails
where another table's name it: there they go before a migrate and are made again after it, which
sets right whatever moved meanwhile.
tests/marketplace/offers/test_room.py holds the column to the rules of a rental.
"""

from typing import Any

from django.apps.registry import Apps
from django.apps.registry import apps as present
from django.db import connections

#: what is free of a machine, or goes to whoever outbids all, and what it has
MOVES = (
    "gpus_total, gpus_free, gpus_interruptible, cpus_free, cpus_interruptible,"
    " memory_bytes_free, memory_bytes_interruptible, disk_bytes_free"
)
#: whether the least that somebody looks for there can be had (domain.matching.SMALLEST)
ROOM = """
{machine}.cpus_free + {machine}.cpus_interruptible >= MAX({offer}.cpus_min, 1)
AND {machine}.memory_bytes_free + {machine}.memory_bytes_interruptible >= 67108864
AND {machine}.disk_bytes_free >= 268435456
AND MAX({machine}.gpus_free + {machine}.gpus_interruptible, 0)
    >= MAX({offer}.gpus_min, MIN({machine}.gpus_total, 1))
"""
_MOVED = f"""
CREATE TRIGGER IF NOT EXISTS machine_room AFTER UPDATE OF {MOVES} ON machines_machine
BEGIN
    UPDATE offers_offer SET has_room = NOT has_room WHERE machine_id = NEW.id
    AND has_room <> ({ROOM.format(machine="NEW", offer="offers_offer")});
END
"""  # noqa: S608
_LEAST = f"""
CREATE TRIGGER IF NOT EXISTS {{name}} AFTER {{event}} ON offers_offer
BEGIN
    UPDATE offers_offer SET has_room = NOT has_room WHERE id = NEW.id
    AND has_room <> (
        SELECT {ROOM.format(machine="machine", offer="NEW")}
        FROM machines_machine AS machine WHERE machine.id = NEW.machine_id
    );
END
"""  # noqa: S608
#: What moved while no trigger was there: beside a migrate, or after one that failed.
_FILL = f"""
UPDATE offers_offer SET has_room = NOT has_room WHERE has_room <> (
    SELECT {ROOM.format(machine="machine", offer="offers_offer")}
    FROM machines_machine AS machine WHERE machine.id = offers_offer.machine_id
)
"""  # noqa: S608
TRIGGERS = {
    "machine_room": _MOVED,
    "offer_room_new": _LEAST.format(name="offer_room_new", event="INSERT"),
    "offer_room_least": _LEAST.format(
        name="offer_room_least", event="UPDATE OF cpus_min, gpus_min"
    ),
}


def forget(*, using: str, **_: Any) -> None:
    """Drop the triggers before SQLite migrates."""
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            for name in TRIGGERS:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def remember(*, using: str, apps: Apps = present, **_: Any) -> None:
    """Make the triggers after SQLite migrated, where the column is there then, and set it right."""
    if connections[using].vendor == "sqlite" and _is_there(apps):
        with connections[using].cursor() as cursor:
            # The triggers first: what moves from here on moves the column.
            for statement in (*TRIGGERS.values(), _FILL):
                cursor.execute(statement)


def _is_there(apps: Apps) -> bool:
    try:
        fields = apps.get_model("offers", "Offer")._meta.get_fields()
    except LookupError:
        return False
    return any(field.name == "has_room" for field in fields)
