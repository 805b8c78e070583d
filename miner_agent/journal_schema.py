"""This will bring a journal into the form that this version of the agent reads.

The number rises with whatever an older version could not read: a table, or a new field of a row.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

#: what makes form n + 1 of form n, statement by statement; the first makes it of nothing
MIGRATIONS: tuple[Sequence[str], ...] = (
    (
        "CREATE TABLE IF NOT EXISTS placement(id TEXT PRIMARY KEY, content TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS claim("
        " kind TEXT NOT NULL, value TEXT NOT NULL,"
        " placement TEXT NOT NULL REFERENCES placement(id), PRIMARY KEY (kind, value))",
        "CREATE TABLE IF NOT EXISTS interval("
        " placement TEXT NOT NULL REFERENCES placement(id), sequence INTEGER NOT NULL,"
        " content TEXT NOT NULL, PRIMARY KEY (placement, sequence))",
        "CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE IF NOT EXISTS volume(id TEXT PRIMARY KEY, content TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS attached("
        " volume TEXT PRIMARY KEY REFERENCES volume(id), placement TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS fetched(name TEXT PRIMARY KEY, used_ms INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS pin("
        " placement TEXT NOT NULL, reference TEXT NOT NULL, origin TEXT NOT NULL,"
        " image TEXT NOT NULL DEFAULT '', PRIMARY KEY (placement, reference))",
    ),
)


class JournalTooNew(Exception):
    """A newer agent wrote it: this one would read it wrong."""


def migrate(database: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the journal to the newest form, each step whole or not at all.

    :raises JournalTooNew: when it is beyond that; nothing is changed.
    """
    if form_of(database) == len(migrations):
        # A disk that is full does not keep an agent from reading.
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        found = form_of(database)
        if found > len(migrations):
            raise JournalTooNew(
                f"A newer agent wrote this machine's journal (form {found}, this one reads"
                f" {len(migrations)}): run that agent, or a newer one."
            )
        for statements in migrations[found:]:
            for statement in statements:
                database.execute(statement)
        if found < len(migrations):
            database.execute(f"PRAGMA user_version={len(migrations)}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def form_of(database: sqlite3.Connection) -> int:
    """Return the number of the form that the journal has; 0: it is empty."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def can_read(path: Path) -> bool:
    """Say whether this version can go on with a journal that another one may have changed."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return form_of(database) <= len(MIGRATIONS)
    finally:
        database.close()
