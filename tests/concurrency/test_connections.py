"""A sync borrows a connection to the database that is open already."""

from datetime import datetime

from django.db import connection

from marketplace.watch import in_thread

SYNCS = 20


def clock() -> datetime:
    """Return the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def opened_at() -> datetime:
    """Return when this thread's connection was opened."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        return cursor.fetchone()[0]


async def test_one_sync_after_the_other_opens_no_connection_anew() -> None:
    begun = await in_thread(clock)()
    assert max([await in_thread(opened_at)() for _ in range(SYNCS)]) < begun
