"""This will note when each pass of the schedule last ended, for whoever watches the site.

Some passes run several times a second. So what a process knows is written down together, and no
more often than every few seconds.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import Error, transaction

from marketplace import many_rows
from marketplace.oversight.models import PassRun

logger = logging.getLogger(__name__)
#: what is known of a pass may be older by so much
EVERY_S = 15


class PassRuns:
    """What one process knows of the passes that it ran, and has not written down yet."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._went: dict[str, Mapping[str, object]] = {}
        self._broke: dict[str, Mapping[str, object]] = {}
        self._written_at: float | None = None

    def note(self, name: str, *, took_ms: int, failed: bool, now: datetime) -> None:
        """Note that a pass just ended; it never fails, as the pass is what matters."""
        with self._lock:
            for known in (self._went, self._broke):
                known.pop(name, None)
            if failed:
                self._broke[name] = {"name": name, "failed_at": now, "failing": True}
            else:
                told = {"ended_at": now, "took_ms": took_ms, "failing": False}
                self._went[name] = {"name": name, **told}
            if self._written_at is not None and self._clock() - self._written_at < EVERY_S:
                return
            self._written_at = self._clock()
            went, broke = self._went, self._broke
            self._went, self._broke = {}, {}
        try:
            with transaction.atomic():
                for rows in (went, broke):
                    many_rows.insert(
                        PassRun, [rows[each] for each in sorted(rows)], instead_of=("name",)
                    )
        except Error:
            # They run again, and are noted then.
            logger.warning("Runs of passes not noted", exc_info=True)


of_this_process = PassRuns()
