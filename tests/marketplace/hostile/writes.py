"""What a request wrote, but for what it took back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: kept of a visit, whatever comes of it
OF_A_VISIT = ("django_session", "accounts_attempt", "usersessions_usersession")


class Writes:
    """The statements that changed a row, with what they were given."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, object]] = []
        self._begun: dict[str, int] = {}

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Sequence[object] | None,
        many: bool,
        context: object,
    ) -> Any:
        word, *names = sql.replace('"', " ").split(None, 5)
        if word == "SAVEPOINT":
            self._begun[names[0]] = len(self.kept)
        elif sql.startswith("ROLLBACK TO SAVEPOINT"):
            del self.kept[self._begun[names[2]] :]
        elif word in {"INSERT", "UPDATE", "DELETE"} and not any(one in sql for one in OF_A_VISIT):
            self.kept.append((sql, params))
        return execute(sql, params, many, context)


@contextmanager
def watched() -> Iterator[Writes]:
    """Yield what is written meanwhile."""
    writes = Writes()
    with connection.execute_wrapper(writes):
        yield writes
