"""This will give proofs a machine to run on: one at a time, for so long a day, in nobody's way.

Its methods may block and may be called from any thread.
"""

import logging
import socket
import threading
from collections.abc import Callable, Collection
from typing import Protocol

from miner_agent.clock import Clock
from miner_agent.domain import proof_budget
from miner_agent.domain.claims import CORE, GPU
from miner_agent.domain.spare import Share, spare
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.facts import MEMORY_INFO
from miner_agent.journal import Journal
from miner_agent.proof_container import OWN_BYTES, Room
from miner_agent.proof_image import ImageFailed

logger = logging.getLogger(__name__)

#: left alone whatever a proof asks for
MEMORY_KEPT_BYTES = 128 << 20
#: less would not even start a prover
MEMORY_LEAST = 16 << 20
#: the journal's name for the time that proofs had
SPENT = "proofs"


class NoProof(Exception):
    """No proof can run now; ``code`` and the sentence are for the validator."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Container(Protocol):
    """What the prover runs in."""

    def start(self, room: Room) -> socket.socket:
        """Start it and return its line."""
        ...

    def status(self) -> int:
        """Return how the prover ended."""
        ...

    def remove(self) -> None:
        """Kill and remove it at once; one that is not there is fine."""
        ...


class Proofs:
    """When a proof may run, and on what."""

    def __init__(
        self,
        *,
        container: Container,
        prepare: Callable[[], object],
        journal: Journal,
        clock: Clock,
        offered: Callable[[], Share],
        seconds_a_day: int,
        leave: Callable[[], None] = lambda: None,
        come_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._container = container
        self._prepare = prepare
        self._journal = journal
        self._clock = clock
        self._offered = offered
        self._seconds_a_day = seconds_a_day
        #: ends what else runs on free cores: measured is what a renter would get
        self._leave, self._come_back = leave, come_back
        #: told of each proof: its seconds, and whether it came to its end
        self.ended: Callable[[float, bool], None] = lambda seconds, done: None
        # A start of a placement waits for it: under it a container is started or removed, no more.
        self._lock = threading.Lock()
        #: who has a proof now, and since when on the clock since boot; None: nobody
        self._runs: tuple[str, int] | None = None
        self._gpus: Collection[str] = ()
        self._is_cleared = False

    def begin(self, validator: str) -> socket.socket:
        """Start a prover for this validator and return its line; ``end`` has to follow.

        :raises NoProof: when there is none to be had now; nothing is left of it.
        """
        self._refuse(validator)
        try:
            # Not under the lock: where the image has to be made, nobody's start waits for it.
            self._prepare()
            offered = self._offered()
            with self._lock:
                self._refuse(validator)
                return self._begin(validator, offered)
        except (EngineUnavailable, EngineRefused, ImageFailed) as error:
            logger.warning("proof not started", extra={"error": str(error)})
            message = "This machine cannot start a proof now; its host's log says why."
            raise NoProof("proof_unavailable", message) from error

    def end(self, status: int) -> None:
        """Throw the prover away; ``status``: how it ended, -1 where it had not."""
        with self._lock:
            runs, self._runs, self._gpus = self._runs, None, ()
            self._clear()
        self._come_back()
        if runs is not None:
            self._note(*runs, status)

    def status(self) -> int:
        """Return how the prover ended, whose last word was heard; -1: nobody knows."""
        try:
            return self._container.status()
        except (EngineUnavailable, EngineRefused):
            return -1

    def make_way(self) -> None:
        """End the proof where a placement that is about to start has one of its GPUs.

        The placement's claims are in the journal by now. On cores they go on together: the proof
        is over in seconds, and the first to lose its memory.
        """
        with self._lock:
            if set(self._gpus) & self._journal.claimed(GPU):
                self._container.remove()

    def tidy(self) -> None:
        """Remove what an agent before this one left, and be ready where validators may come."""
        with self._lock:
            if self._runs is None and not self._is_cleared:
                self._clear()
        if not self._journal.fact("validators"):
            return
        try:
            self._prepare()
        except (EngineUnavailable, EngineRefused, ImageFailed) as error:
            logger.warning("proofs not prepared", extra={"error": str(error)})

    def remove(self) -> None:
        """Throw away whatever is here, such as when the agent ends."""
        with self._lock:
            self._clear()

    def _refuse(self, validator: str) -> None:
        if self._runs is not None:
            raise NoProof("proof_running", "Another proof is running.")
        message = proof_budget.refusal(
            self._spent(),
            key=validator,
            now_ms=self._clock.wall_ms(),
            seconds_a_day=self._seconds_a_day,
        )
        if message:
            raise NoProof("proof_budget_spent", message)

    def _begin(self, validator: str, offered: Share) -> socket.socket:
        room = self._room(offered)
        self._runs, self._gpus = (validator, self._clock.boot_ms()), room.gpu_uuids
        self._leave()
        try:
            return self._container.start(room)
        except BaseException:
            self._runs, self._gpus = None, ()
            self._clear()
            self._come_back()
            raise

    def _room(self, offered: Share) -> Room:
        free = spare(
            offered,
            cores_held=self._journal.claimed(CORE),
            gpus_held=self._journal.claimed(GPU),
            placements=self._journal.placements().values(),
        )
        if not free.cores:
            raise NoProof("cores_taken", "No CPU core is free.")
        memory_bytes = available_bytes() - OWN_BYTES - MEMORY_KEPT_BYTES
        return Room(
            cores=sorted(free.cores),
            gpu_uuids=sorted(free.gpu_uuids),
            memory_bytes=max(MEMORY_LEAST, memory_bytes),
        )

    def _clear(self) -> None:
        try:
            self._container.remove()
            self._is_cleared = True
        except (EngineUnavailable, EngineRefused) as error:
            # The next look tries it again.
            self._is_cleared = False
            logger.warning("proof not removed", extra={"error": str(error)})

    def _note(self, validator: str, began_ms: int, status: int) -> None:
        lasted_ms = self._clock.boot_ms() - began_ms
        spent = proof_budget.add(
            self._spent(), key=validator, lasted_ms=lasted_ms, now_ms=self._clock.wall_ms()
        )
        self._journal.remember(**{SPENT: proof_budget.write(spent)})
        self.ended(lasted_ms / 1000, status == 0)
        logger.info(
            "proof ended",
            extra={"validator_key": validator, "lasted_ms": lasted_ms, "status": status},
        )

    def _spent(self) -> proof_budget.Spent:
        return proof_budget.read(self._journal.fact(SPENT))


def available_bytes() -> int:
    """Return the memory that can be used without swapping or harming what runs."""
    for line in MEMORY_INFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
