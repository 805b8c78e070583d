"""This will count the running time of containers in signed, chained intervals."""

import logging
import threading
from collections.abc import Collection, Iterable
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.clock import Clock
from miner_agent.domain.generation import Generation
from miner_agent.domain.intervals import ended_age, is_due, stretches
from miner_agent.domain.placement import Placement, Run, deaths
from miner_agent.domain.reconcile import Container, current_container
from miner_agent.journal import Journal
from miner_agent.runtime import Running
from protocol.agent import ObservedState, RefusedInterval
from protocol.receipts import Interval, SignedInterval, digest, sign_interval
from protocol.signing import public_key_of

logger = logging.getLogger(__name__)


class Counting:
    """Runs and their intervals; what is counted is in the journal before anybody hears of it."""

    def __init__(self, *, journal: Journal, clock: Clock, key: Ed25519PrivateKey) -> None:
        self._journal = journal
        self._clock = clock
        self._key = key
        self._machine_key = public_key_of(key)
        # Runs end in worker threads while the loop closes intervals: one chain, one writer.
        self._lock = threading.RLock()
        #: by placement: a start that was seen running, and the newest nonce held before that look
        self._seen: dict[UUID, tuple[str, str]] = {}

    def saw_running(self, containers: Iterable[Container], *, nonce: str) -> None:
        """Note what runs; ``nonce`` was read before the look.

        A nonce dates an interval: it proves that the container ran after the marketplace issued it.
        One that came after the container died, but before the death was noticed, would prove a lie
        (tests/faults/test_simulation.py).
        """
        with self._lock:
            for container in containers:
                if container.running:
                    self._seen[container.placement_id] = (container.token, nonce)

    def start_run(self, placement: Placement, running: Running, *, generation: Generation) -> None:
        """Note that the container runs: the same start goes on, another one is a new run.

        From this write on ``generation`` is what runs, and nothing comes after it.
        """
        with self._lock:
            known = self._journal.get(placement.placement_id)
            run, coming = known.run, known.coming
            if run is None or not run.open or run.token != running.token:
                run = Run(
                    number=0 if run is None else run.number + 1,
                    token=running.token,
                    boot_id=self._clock.boot_id(),
                    started_ms=self._clock.boot_ms(),
                )
            self._journal.change(
                placement.placement_id,
                state=ObservedState.RUNNING,
                run=run,
                current=generation,
                coming=None if coming == generation else coming,
                host_key=running.host_key,
                written_keys=placement.authorized_keys,
                exit_code=None,
                problem=None,
                progress="",
            )

    def rechain(self, placement_id: UUID, refused: RefusedInterval, *, sequence: int) -> None:
        """Go on with the chain where the marketplace has it; what it refused is lost."""
        with self._lock:
            rechained = self._journal.rechain(
                placement_id,
                refused=refused.signature,
                sequence=sequence,
                previous=refused.previous,
            )
        if rechained:
            logger.error(
                "interval refused",
                extra={"placement": str(placement_id), "reason": refused.reason},
            )

    def close_due(self, containers: Collection[Container], *, looked_ms: int) -> bool:
        """Close intervals of the runs that are still going on; say whether there was one."""
        with self._lock:
            due = [
                (placement, placement.run)
                for placement in self._journal.placements().values()
                if placement.run is not None
                and placement.state is ObservedState.RUNNING
                and self._is_due(placement.run, current_container(placement, containers), looked_ms)
            ]
            for placement, run in due:
                # Up to the look and no further: it may have ended since.
                self._close(placement, run, looked_ms - run.started_ms)
        return bool(due)

    def end_lost_run(
        self, placement: Placement, container: Container | None, *, looked_ms: int
    ) -> Placement:
        """Close a run whose container is not running any more and return the placement."""
        run = placement.run
        if run is None or not run.open:
            return placement
        if container is not None and container.running and container.token == run.token:
            return placement
        return self.end_run(placement, container, looked_ms=looked_ms, failed=True)

    def end_run(
        self,
        placement: Placement,
        container: Container | None,
        *,
        looked_ms: int,
        failed: bool = False,
    ) -> Placement:
        """Close the open run, counting up to the look or to the moment at which its container died.

        ``looked_ms``: on the clock since boot, before ``container`` was looked at.
        """
        with self._lock:
            placement = self._journal.get(placement.placement_id)
            run = placement.run
            if run is None or not run.open:
                return placement
            same_start = container is not None and container.token == run.token
            age_ms = self._end_age(run, container if same_start else None, looked_ms)
            wall_ms = self._clock.wall_ms()
            # In one write: whoever comes after a kill asks a run that is over nothing more.
            ended = self._close(
                placement,
                run.model_copy(update={"open": False}),
                age_ms,
                died_wall_ms=deaths(placement, wall_ms=wall_ms)
                if failed
                else placement.died_wall_ms,
                # Whatever start comes next is later than every restart that was asked for by now.
                restarted=placement.restarts,
                exit_code=container.exit_code if container is not None and same_start else None,
            )
            self._seen.pop(placement.placement_id, None)
            return ended

    def _end_age(self, run: Run, container: Container | None, looked_ms: int) -> int:
        """Return the age at which this run ended; ``container`` is None where it is not there."""
        if run.boot_id != self._clock.boot_id():
            return run.counted_ms
        if container is not None and container.running:
            # No further: it may have ended since.
            return looked_ms - run.started_ms
        age_ms = self._clock.boot_ms() - run.started_ms
        lasted_ms = None if container is None else container.lasted_ms
        return ended_age(counted_ms=run.counted_ms, age_ms=age_ms, lasted_ms=lasted_ms)

    def _is_due(self, run: Run, container: Container | None, looked_ms: int) -> bool:
        if not run.open or container is None or not container.running:
            return False
        age_ms = looked_ms - run.started_ms
        return container.token == run.token and is_due(counted_ms=run.counted_ms, age_ms=age_ms)

    def _close(self, placement: Placement, run: Run, age_ms: int, **changes: object) -> Placement:
        """Count the run up to an age, and change what else of its placement changes with it."""
        signed: list[SignedInterval] = []
        token, nonce = self._seen.get(placement.placement_id, ("", ""))
        nonce = nonce if token == run.token else ""
        sequence, previous = placement.sequence, placement.previous
        for from_age_ms, to_age_ms in stretches(counted_ms=run.counted_ms, age_ms=age_ms):
            interval = Interval(
                machine_key=self._machine_key,
                placement_id=placement.placement_id,
                sequence=sequence,
                previous=previous,
                run=run.number,
                from_age_ms=from_age_ms,
                to_age_ms=to_age_ms,
                nonce=nonce,
            )
            signed.append(sign_interval(self._key, interval))
            sequence, previous = sequence + 1, digest(interval)
        changes |= {
            "run": run.model_copy(update={"counted_ms": max(run.counted_ms, age_ms)}),
            "sequence": sequence,
            "previous": previous,
        }
        return self._journal.close_intervals(placement.placement_id, signed, **changes)
