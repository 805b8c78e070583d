"""This will do one thing for each of many rows, none of which may keep the others waiting."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import OperationalError, connection
from django.db.models import Model, QuerySet

logger = logging.getLogger(__name__)
#: of one pass; more of them are no row's fault
FAILURES_MAX = 100
#: then whoever has to answer is away, and each further question would wait for its deadline
SILENCES_MAX = 3
#: A deadlock is one row's bad moment; more of them are the database's.
LOSSES_MAX = 3

Row = TypeVar("Row")
Done = TypeVar("Done")


def one_by_one(
    rows: "Sequence[Row] | QuerySet[Model, Row]",
    do: Callable[[Row], Done],
    *,
    failed: str,
    most: int,
    silence: tuple[type[Exception], ...] = (),
) -> list[Done]:
    """Return what ``do`` returned for the first rows that it went well for, at most ``most``.

    One that fails is logged with the words of ``failed``, counts for nothing, and is tried again by
    the next pass. ``silence``: what is raised where somebody else does not answer; after
    SILENCES_MAX of them the rest waits for the next pass.

    :raises OperationalError: when it is the database that fails, and not a row.
    """
    done: list[Done] = []
    silences = losses = 0
    for row in list(rows[: most + FAILURES_MAX]):
        if len(done) == most or silences == SILENCES_MAX:
            break
        try:
            done.append(do(row))
        except silence:
            silences += 1
        except Exception as error:
            logger.exception(failed, extra={"row": str(getattr(row, "pk", row))})
            if isinstance(error, OperationalError):
                losses += 1
                if losses == LOSSES_MAX or not connection.is_usable():
                    raise
    return done
