"""This will let one process at a time set weights for one hotkey on one subnet.

The lock is freed by whoever keeps it, PostgreSQL or the kernel, at the instant at which its
process dies; so a killed run never holds up the next one.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from django.db import connection


@contextmanager
def held(*, network: str, netuid: int, hotkey: str) -> Iterator[bool]:
    """Yield whether the lock is this process's until the end of the block; never wait for it."""
    key = blake2b(f"set_weights {network} {netuid} {hotkey}".encode(), digest_size=8).digest()
    if connection.vendor == "postgresql":
        with _in_database(int.from_bytes(key, signed=True)) as mine:
            yield mine
        return
    database = Path(str(connection.settings_dict["NAME"]))
    with _in_file(database.with_name(f"{database.name}.{key.hex()}.lock")) as mine:
        yield mine


@contextmanager
def _in_database(key: int) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


@contextmanager
def _in_file(path: Path) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
