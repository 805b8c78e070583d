"""This will keep incidents until the marketplace has them, and how far each source was read.

A look's incidents and its marks are written in one transaction: killed before it, the agent finds
the same again; killed after it, it finds them no more. So none is lost and none counts twice.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from miner_agent.store import Store
from protocol.usage import Incident

#: unsent ones; a machine that goes on failing for days while nobody listens keeps the first
INCIDENTS_MOST = 1000
MIGRATIONS = (
    (
        "CREATE TABLE IF NOT EXISTS incident(id TEXT PRIMARY KEY, content TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS mark(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
)


class IncidentJournal:
    """SQLite with a write-ahead log: what a method returned from is on disk."""

    def __init__(self, path: Path | str) -> None:
        self._store = Store(path, migrations=MIGRATIONS)

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def marks(self) -> dict[str, str]:
        """Return how far each source was read."""
        rows = self._store.rows("SELECT name, value FROM mark")
        return {name: value for name, value in rows}  # noqa: C416 - so both are texts to mypy

    def note(self, incidents: Sequence[Incident], marks: Mapping[str, str]) -> None:
        """Keep what a look found, with the marks that are valid from then on, and no others."""
        with self._store.transaction():
            ((kept,),) = self._store.rows("SELECT COUNT(*) FROM incident")
            for one in incidents[: max(0, INCIDENTS_MOST - int(kept))]:
                row = (str(one.incident_id), one.model_dump_json())
                self._store.write("INSERT INTO incident VALUES (?, ?)", row)
            self._store.write("DELETE FROM mark")
            for mark in marks.items():
                self._store.write("INSERT INTO mark VALUES (?, ?)", mark)

    def unsent(self, *, most: int) -> tuple[Incident, ...]:
        """Return what the marketplace has not confirmed, the oldest first."""
        rows = self._store.rows("SELECT content FROM incident ORDER BY rowid LIMIT ?", (most,))
        return tuple(Incident.model_validate_json(content) for (content,) in rows)

    def confirm(self, incident_ids: Collection[UUID]) -> None:
        """Drop what the marketplace has."""
        with self._store.transaction():
            for one in incident_ids:
                self._store.write("DELETE FROM incident WHERE id = ?", (str(one),))
