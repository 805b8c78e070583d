"""This will run the host's own work on what no placement holds, and end it before one starts there.

One hardened container, made anew whenever what is spare changes. It has the least weight that there
is, no network unless the host allows one, and nothing of a renter's.
"""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from miner_agent.domain.claims import CORE, GPU
from miner_agent.domain.spare import Job, Share, is_starting, spare
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import Journal

logger = logging.getLogger(__name__)


class IdleContainer(Protocol):
    """The one container of this kind."""

    def share(self) -> Share | None:
        """Return what it runs on; None where it does not run."""
        ...

    def start(self, job: Job, share: Share) -> None:
        """Make and start it."""
        ...

    def remove(self) -> None:
        """End and remove it at once; one that is not there is fine."""
        ...


class Idle:
    """When the host's own work runs. Its methods may block and may be called from any thread."""

    def __init__(
        self,
        job: Job | None,
        *,
        container: IdleContainer,
        journal: Journal,
        offered: Callable[[], Share],
    ) -> None:
        #: None: there is none, and one of former days is removed
        self._job = job
        self._container = container
        self._journal = journal
        self._offered = offered
        #: asked of the driver, which may take its time, so never while a start waits
        self._offered_lately: Share | None = None
        # A start waits for it: whatever is done under it is a single call of Docker.
        self._lock = threading.Lock()
        self._away = 0
        self._is_cleared = False

    def settle(self) -> None:
        """Start the work where something is spare and nothing else is about to start."""
        offered = None if self._job is None else self._offered()
        try:
            with self._lock:
                self._offered_lately = offered
                self._settle()
        except (EngineUnavailable, EngineRefused) as error:
            logger.warning("idle work not started", extra={"error": str(error)})

    def make_way(self) -> None:
        """End the work unless a placement that is about to start leaves it all that it has.

        The placement's claims are in the journal by now.
        """
        if self._job is not None or not self._is_cleared:
            with self._lock:
                self._make_way()

    def leave(self) -> None:
        """End the work and keep it away, such as while somebody measures the machine."""
        with self._lock:
            self._away += 1
        if self._job is not None:
            self.remove()

    def come_back(self) -> None:
        """Let the work begin again, once for each ``leave``."""
        with self._lock:
            self._away -= 1

    def remove(self) -> None:
        """End the work, until it is settled again."""
        try:
            with self._lock:
                self._container.remove()
        except (EngineUnavailable, EngineRefused) as error:
            logger.warning("idle work not ended", extra={"error": str(error)})

    def _settle(self) -> None:
        if self._job is None:
            if not self._is_cleared:
                self._container.remove()
                self._is_cleared = True
            return
        self._make_way()
        if self._away or is_starting(self._journal.placements().values()):
            return
        share = self._spare()
        if self._container.share() == share:
            return
        self._container.remove()
        if share.is_worth_it:
            self._container.start(self._job, share)
            logger.info("idle work runs", extra={"cores": len(share.cores)})

    def _make_way(self) -> None:
        running = self._container.share()
        if running is not None and not running.fits_in(self._spare()):
            self._container.remove()

    def _spare(self) -> Share:
        return spare(
            self._offered_lately or self._offered(),
            cores_held=self._journal.claimed(CORE),
            gpus_held=self._journal.claimed(GPU),
            placements=self._journal.placements().values(),
        )
