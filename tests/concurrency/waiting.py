"""Waits until somebody waits for this connection's transaction."""

import time

from django.db import connection

PATIENCE_S = 60
#: of the locks, as a transaction sees the same connections all along
AWAITED = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
)
"""


def until_somebody_waits() -> None:
    """Return once another connection waits for what this one has locked."""
    deadline = time.monotonic() + PATIENCE_S
    with connection.cursor() as cursor:
        while True:
            cursor.execute(AWAITED)
            if cursor.fetchone() == (True,):
                return
            assert time.monotonic() < deadline, "Nobody waits."
            time.sleep(0.01)
