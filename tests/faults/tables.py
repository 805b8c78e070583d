"""This will note which tables a step wrote to: only these must be read to check it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: the tables that the invariants look at, by their name in a statement
TABLES = (
    "placements_placementevent",
    "placements_placement",
    "placements_lease",
    "machines_machine",
    "offers_offer",
    "ledger_transfer",
    "ledger_account",
    "ledger_hold",
    "metering_signedintervalrow",
    "metering_meter",
)
#: how statements begin that only say that a machine was there, or is to hear something
HEARTBEATS = (
    'UPDATE "machines_machine" SET "desired_revision"',
    'UPDATE "machines_machine" SET "agent_version"',
    'UPDATE "machines_machine" SET "uptime_counted_at"',
)


class Writes:
    """Notes which tables were written since it was last asked."""

    def __init__(self) -> None:
        self._written: set[str] = set(TABLES)
        #: hears that something may be desired that was not before
        self.on_bump: Callable[[], None] = lambda: None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the database's statements."""
        with connection.execute_wrapper(self._note):
            yield

    def taken(self) -> frozenset[str]:
        """Return the tables written since the last call."""
        written, self._written = frozenset(self._written), set()
        return written

    def _note(
        self,
        execute: Callable[..., Any],
        sql: str,
        parameters: Any,
        many: bool,
        context: Mapping[str, Any],
    ) -> Any:
        if '"desired_revision" = ' in sql:
            self.on_bump()
        if sql.startswith("ROLLBACK"):
            self._written.update(TABLES)
        elif sql.startswith(HEARTBEATS):
            # A heartbeat moves nothing that an invariant looks at, and most writes are heartbeats.
            pass
        elif not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE")):
            head = sql[:100]
            self._written.update(table for table in TABLES if f'"{table}"' in head)
        return execute(sql, parameters, many, context)
