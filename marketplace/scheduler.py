"""This will run the schedule in one process, for the embedded site."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.db import close_old_connections, connection, connections

from marketplace import passes
from marketplace.schedule import PASSES, Pass

logger = logging.getLogger(__name__)


class Scheduler:
    """Runs each pass when it is due; a pass that fails is logged and comes again."""

    def __init__(
        self, passes: Sequence[Pass] = PASSES, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._due_at = dict.fromkeys(passes, clock())

    def step(self, *, now: datetime) -> float:
        """Run what is due and return the seconds until the next pass is."""
        for entry, due_at in self._due_at.items():
            if due_at <= self._clock():
                self._run(entry, now)
                self._due_at[entry] = self._clock() + entry.every_s
        return max(0.0, min(self._due_at.values()) - self._clock())

    def _run(self, entry: Pass, now: datetime) -> None:
        began = self._clock()
        try:
            passes.run(entry, now=now)
        except Exception:
            # One broken pass must not stop the others; the level-triggered next run redoes it.
            logger.exception("pass failed", extra={"pass": entry.name})
        finally:
            _leave_connection()
        if self._clock() - began > entry.limit_s:
            logger.warning("pass late", extra={"pass": entry.name})


def run_forever(stopped: Callable[[float], bool], passes: Sequence[Pass] = PASSES) -> None:
    """Run every lane in a thread until ``stopped(seconds)``, which waits that long, says so."""
    lanes = sorted({entry.lane for entry in passes})
    threads = [
        threading.Thread(
            target=_run_lane,
            args=([entry for entry in passes if entry.lane == lane], stopped),
            name=lane,
        )
        for lane in lanes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _run_lane(lane: Sequence[Pass], stopped: Callable[[float], bool]) -> None:
    scheduler = Scheduler(lane)
    try:
        while not stopped(scheduler.step(now=datetime.now(tz=UTC))):
            pass
    finally:
        connections.close_all()


def _leave_connection() -> None:
    """Give the connection back, or keep the lane's own.

    SQLite reads the whole schema for each new one, which takes longer than most passes.
    """
    if connection.vendor != "sqlite" or connection.errors_occurred:
        close_old_connections()
