"""This will open the agent's SQLite files: what a transaction returned from is on disk."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from miner_agent.journal_schema import MIGRATIONS, migrate

#: pages of the log that are taken over into the file itself. The log is written over from then on,
#: so that a disk that has become full does not keep a running agent from its next promise
LOG_PAGES = 64
#: how long another connection to the same file is waited for: our own are done sooner, but a slow
#: disk, or somebody who looks into the file, may keep it
BUSY_MS_MAX = 5000
#: what is refused now and may be taken later, as SQLite numbers it
UNWRITABLE = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    )
)


class StoreUnwritable(Exception):
    """What has to be kept is not taken: most often the disk is full. It may be later."""


class Store:
    """One connection, used by several threads in turn; several stores may share a file."""

    def __init__(
        self, path: Path | str, *, migrations: Sequence[Sequence[str]] = MIGRATIONS
    ) -> None:
        self._lock = threading.RLock()
        with _told():
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._open(migrations)
            except BaseException:
                self._database.close()
                raise

    def _open(self, migrations: Sequence[Sequence[str]]) -> None:
        self._database.execute(f"PRAGMA busy_timeout={BUSY_MS_MAX}")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA foreign_keys=ON")
        self._database.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        migrate(self._database, migrations)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def rows(self, question: str, values: Sequence[object] = ()) -> list[tuple[str, ...]]:
        """Return every row that answers the question.

        :raises StoreUnwritable: when it cannot be read now.
        """
        with self._lock, _told():
            return self._database.execute(question, values).fetchall()

    def write(self, statement: str, values: Sequence[object] = ()) -> int:
        """Carry one statement out, inside the transaction that is open or in one of its own.

        Return how many rows it changed.

        :raises StoreUnwritable: when it is not taken now; then nothing is changed.
        """
        with self._lock, _told():
            return self._database.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything inside or nothing.

        :raises StoreUnwritable: when it is not taken now; then nothing is done.
        """
        with self._lock, _told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                # SQLite has gone back by itself where the disk was full.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is refused for now from what the agent does wrong."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # Its lowest byte is what it is; the others say where it was met.
        if error.sqlite_errorcode & 0xFF in UNWRITABLE:
            raise StoreUnwritable(f"The agent's notes cannot be written now: {error}") from error
        raise
