"""This will send the ends of containers' logs to those who rent them, when the marketplace asks.

Nothing of a log is written down here or told to the agent's own log: it is its renter's.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from miner_agent.domain.container_log import newest
from miner_agent.domain.container_spec import container_name
from miner_agent.domain.placement import Placement
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import Journal
from miner_agent.market import MarketRefused, MarketUnreachable
from protocol.container_log import (
    CHARACTERS_MOST,
    LAST_CHARACTERS_MOST,
    LAST_LINES_MOST,
    LogAsked,
    LogReport,
)
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)

#: of containers that are gone, until the marketplace has them; beyond it the oldest is dropped
LAST_MOST = 100
#: its time was over: it did not fail, and nobody waits to read why
NOT_FAILED = frozenset({"lease_ended"})


class Said(Protocol):
    """What is asked of the engine."""

    def __call__(self, name: str, *, lines_most: int) -> bytes | None:
        """Return the newest lines of a container in Docker's frames; None: it is not there."""
        ...


class Logs:
    """Whose logs are asked for, and what was not sent yet. Methods block; any thread may call."""

    def __init__(
        self, *, journal: Journal, said: Said, send: Callable[[UUID, LogReport], None]
    ) -> None:
        self._journal = journal
        self._said = said
        self._send = send
        self._lock = threading.Lock()
        self._asked: dict[UUID, LogAsked] = {}
        #: which question of each placement was answered
        self._answered: dict[UUID, UUID] = {}
        #: of containers that were removed since
        self._last: dict[UUID, LogReport] = {}
        #: called when there is something to send
        self.changed: Callable[[], None] = lambda: None

    def hear(self, asked: Sequence[LogAsked]) -> None:
        """Take over whose logs the marketplace asks for now; before the placements of its reply."""
        with self._lock:
            self._asked = {one.placement_id: one for one in asked}
            self._answered = {
                placement_id: asked_id
                for placement_id, asked_id in self._answered.items()
                if placement_id in self._asked
            }

    def keep_last(self, placement: Placement) -> None:
        """Read the end of a log before its container goes, where it failed or somebody asks."""
        asked = self._open(placement.placement_id)
        problem = placement.problem
        has_failed = problem is not None and problem.code not in NOT_FAILED
        if placement.kind is not PlacementKind.RENTAL or not (has_failed or asked):
            return
        try:
            report = self._read(
                placement,
                asked_id=None if asked is None else asked.asked_id,
                lines_most=LAST_LINES_MOST if asked is None else asked.lines_most,
                characters_most=LAST_CHARACTERS_MOST if asked is None else CHARACTERS_MOST,
            )
        except (EngineUnavailable, EngineRefused) as error:
            # It goes on: what is removed was asked to be.
            logger.info("last log not read", extra={"error": str(error)})
            return
        if not report.lines:
            return
        with self._lock:
            self._last[placement.placement_id] = report
            while len(self._last) > LAST_MOST:
                self._last.pop(next(iter(self._last)))
        self.changed()

    def answer(self) -> None:
        """Send what is asked for and was not sent yet; what cannot be sent now is tried again."""
        try:
            for placement_id, report in self._waiting():
                self._tell(placement_id, report)
                with self._lock:
                    if self._last.get(placement_id) is report:
                        del self._last[placement_id]
            for asked in self._unanswered():
                self._answer(asked)
        except (EngineUnavailable, MarketUnreachable) as error:
            logger.info("logs not sent", extra={"error": str(error)})

    def _answer(self, asked: LogAsked) -> None:
        placement = self._journal.find(asked.placement_id)
        try:
            report = (
                LogReport(asked_id=asked.asked_id, has_container=False)
                if placement is None
                else self._read(placement, asked_id=asked.asked_id, lines_most=asked.lines_most)
            )
        except EngineRefused as error:
            logger.info("log not read", extra={"error": str(error)})
            return
        self._tell(asked.placement_id, report)

    def _read(
        self,
        placement: Placement,
        *,
        asked_id: UUID | None,
        lines_most: int,
        characters_most: int = CHARACTERS_MOST,
    ) -> LogReport:
        made = placement.current or placement.coming
        frames = None
        if made is not None:
            name = container_name(placement.placement_id, made.number)
            # One more: it tells whether there are more than those that are sent.
            frames = self._said(name, lines_most=lines_most + 1)
        if frames is None:
            return LogReport(asked_id=asked_id, has_container=False)
        end = newest(frames, lines_most=lines_most, characters_most=characters_most)
        return LogReport(asked_id=asked_id, lines=end.lines, is_cut=end.is_cut)

    def _tell(self, placement_id: UUID, report: LogReport) -> None:
        try:
            self._send(placement_id, report)
        except MarketRefused as error:
            # Nobody waits for it any more.
            logger.info("log refused", extra={"placement": str(placement_id), "code": error.code})
        if report.asked_id is not None:
            with self._lock:
                self._answered[placement_id] = report.asked_id

    def _open(self, placement_id: UUID) -> LogAsked | None:
        with self._lock:
            asked = self._asked.get(placement_id)
            is_open = asked is not None and self._answered.get(placement_id) != asked.asked_id
            return asked if is_open else None

    def _waiting(self) -> Sequence[tuple[UUID, LogReport]]:
        with self._lock:
            return tuple(self._last.items())

    def _unanswered(self) -> Sequence[LogAsked]:
        with self._lock:
            return tuple(
                asked
                for placement_id, asked in self._asked.items()
                if self._answered.get(placement_id) != asked.asked_id
            )
