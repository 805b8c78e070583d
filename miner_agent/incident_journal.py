"""This will keep incidents until the marketplace has them, and how far each source was read.

A look's incidents and its marks are written in one transaction: killed before it, the agent finds
the same again; killed after it, it finds them no more. So none is lost and none counts twice.
"""

import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from protocol.usage import Incident

#: unsent ones; a machine that goes on failing for days while nobody listens keeps the first
INCIDENTS_MOST = 1000
TABLES = """
CREATE TABLE IF NOT EXISTS incident(id TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mark(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class IncidentJournal:
    """SQLite with a write-ahead log: what a method returned from is on disk."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA busy_timeout=5000")
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def marks(self) -> dict[str, str]:
        """Return how far each source was read."""
        with self._lock:
            return dict(self._database.execute("SELECT name, value FROM mark").fetchall())

    def note(self, incidents: Sequence[Incident], marks: Mapping[str, str]) -> None:
        """Keep what a look found, with the marks that are valid from then on, and no others."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._write(incidents, marks)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def unsent(self, *, most: int) -> tuple[Incident, ...]:
        """Return what the marketplace has not confirmed, the oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT content FROM incident ORDER BY rowid LIMIT ?", (most,)
            ).fetchall()
        return tuple(Incident.model_validate_json(content) for (content,) in rows)

    def confirm(self, incident_ids: Collection[UUID]) -> None:
        """Drop what the marketplace has."""
        with self._lock:
            self._database.executemany(
                "DELETE FROM incident WHERE id = ?", [(str(one),) for one in incident_ids]
            )

    def _write(self, incidents: Sequence[Incident], marks: Mapping[str, str]) -> None:
        (kept,) = self._database.execute("SELECT COUNT(*) FROM incident").fetchone()
        self._database.executemany(
            "INSERT INTO incident VALUES (?, ?)",
            [
                (str(one.incident_id), one.model_dump_json())
                for one in incidents[: max(0, INCIDENTS_MOST - kept)]
            ],
        )
        self._database.execute("DELETE FROM mark")
        self._database.executemany("INSERT INTO mark VALUES (?, ?)", list(marks.items()))
