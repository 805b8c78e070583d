"""This will run one pass of the schedule, never beside itself, whatever process asks for it."""

import fcntl
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from marketplace.oversight.pass_runs import of_this_process
from marketplace.schedule import Pass

#: keeps these numbers apart from other advisory locks of the database ("BE" in ASCII)
LOCK_CLASS = 0x4245


def run(entry: Pass, *, now: datetime) -> bool:
    """Return whether the pass ran; False: it runs already, here or in another process."""
    with _only_one(entry.name) as mine:
        if mine:
            _run(entry, now)
    return mine


def _run(entry: Pass, now: datetime) -> None:
    began, failed = time.monotonic(), True
    try:
        import_string(entry.path)(now=now)
        failed = False
    finally:
        of_this_process.note(
            entry.name,
            took_ms=int((time.monotonic() - began) * 1000),
            failed=failed,
            now=datetime.now(tz=UTC),
        )


def _only_one(name: str) -> AbstractContextManager[bool]:
    return _locked_in_database(name) if connection.vendor == "postgresql" else _locked_file(name)


@contextmanager
def _locked_in_database(name: str) -> Iterator[bool]:
    """Hold an advisory lock of this connection: it ends with the process, however that ends."""
    numbers = [LOCK_CLASS, zlib.crc32(name.encode()) - (1 << 31)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", numbers)
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", numbers)


@contextmanager
def _locked_file(name: str) -> Iterator[bool]:
    """Hold a file lock: all processes of a SQLite site share its folder."""
    folder = Path(settings.DATA_DIR) / "passes"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
