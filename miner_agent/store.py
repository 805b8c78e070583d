"""This will open the agent's SQLite file: what a transaction returned from is on disk."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class Store:
    """One connection, used by several threads in turn; several stores may share a file."""

    def __init__(self, path: Path | str, *, tables: str) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA foreign_keys=ON")
        self._database.execute("PRAGMA busy_timeout=5000")
        self._database.executescript(tables)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def rows(self, question: str, values: Sequence[object] = ()) -> list[tuple[str, ...]]:
        """Return every row that answers the question."""
        with self._lock:
            return self._database.execute(question, values).fetchall()

    def write(self, statement: str, values: Sequence[object] = ()) -> int:
        """Carry one statement out, inside the transaction that is open or in one of its own.

        Return how many rows it changed.
        """
        with self._lock:
            return self._database.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything inside or nothing."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
