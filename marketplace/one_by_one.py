"""This will do one thing for each of many rows, none of which may keep the others waiting."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import OperationalError

logger = logging.getLogger(__name__)
#: then whoever has to answer is away, and each further question would wait for its deadline
SILENCES_MAX = 3

Row = TypeVar("Row")
Done = TypeVar("Done")


class _NeverRaised(Exception):
    """What nobody raises."""


def one_by_one(
    rows: Iterable[Row],
    do: Callable[[Row], Done],
    *,
    failed: str,
    most: int,
    silence: type[Exception] = _NeverRaised,
) -> list[Done]:
    """Return what ``do`` returned for the first rows that it went well for, at most ``most``.

    One that fails is logged with the words of ``failed``, counts for nothing, and is tried again by
    the next pass. ``silence``: what is raised where somebody else does not answer; after
    SILENCES_MAX of them the rest waits for the next pass.
    """
    done: list[Done] = []
    silences = 0
    for row in rows:
        if len(done) == most or silences == SILENCES_MAX:
            break
        try:
            done.append(do(row))
        except silence:
            silences += 1
        except OperationalError:
            # It is the database that fails, not a row: the next pass goes on.
            raise
        except Exception:
            logger.exception(failed, extra={"row": str(getattr(row, "pk", row))})
    return done
