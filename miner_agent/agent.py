"""This will hold the agent's steps: take what is desired, act on it, count time, report.

Nothing here waits or reads a clock of its own: ``supervisor.py`` drives it on a machine, a
simulation on virtual time.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent import VERSION
from miner_agent.acceptance import Acceptance
from miner_agent.clock import Clock
from miner_agent.counting import Counting
from miner_agent.domain import last_word
from miner_agent.domain.placement import Placement, is_funded, is_paid, report
from miner_agent.domain.reconcile import STARTS, Action, Container, Step, reconcile
from miner_agent.domain.reply import Heard
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.hearing import Hearing
from miner_agent.journal import Journal
from miner_agent.reserve import ROOM_BYTES_LEAST
from miner_agent.retries import Retries, reason
from miner_agent.runtime import Runtime
from miner_agent.steps import Interrupted, Steps
from miner_agent.volumes import Volumes
from protocol.agent import (
    DESIRED_MOST,
    SYNC_HOLD_S_MAX,
    ObservedPlacement,
    ObservedState,
    ObservedVolume,
    Problem,
    SyncRequest,
    Want,
)
from protocol.hardware import Hardware
from protocol.usage import Incident, Usage
from protocol.workload import VolumeState

logger = logging.getLogger(__name__)

INTERVALS_PER_SYNC = 500
ENGINE_AWAY = "docker_unavailable"
DISK_FULL = "The disk of this machine's agent is full; its host has to make room."


class Agent:
    """The machine's side of every placement. Methods may be called from several threads."""

    def __init__(
        self,
        *,
        journal: Journal,
        runtime: Runtime,
        clock: Clock,
        key: Ed25519PrivateKey,
        acceptance: Acceptance,
        volumes: Volumes | None = None,
        room_bytes: Callable[[], int] = lambda: ROOM_BYTES_LEAST,
        changed: Callable[[], None] = lambda: None,
        keep_last: Callable[[Placement], None] = lambda placement: None,
    ) -> None:
        self._journal = journal
        self._runtime = runtime
        self._clock = clock
        self._counting = Counting(journal=journal, clock=clock, key=key)
        self._acceptance = acceptance
        #: None: this machine keeps none
        self._volumes = volumes
        #: what the disk of the agent's home still takes
        self._room_bytes = room_bytes
        self._hearing = Hearing(
            journal=journal,
            clock=clock,
            counting=self._counting,
            acceptance=acceptance,
            volumes=volumes,
        )
        self._steps = Steps(
            journal=journal,
            runtime=runtime,
            clock=clock,
            counting=self._counting,
            acceptance=acceptance,
            changed=lambda: self.changed(),
            is_stopping=lambda: self.stopping,
            login_of=lambda placement_id: self._hearing.logins.get(placement_id),
            keep_last=keep_last,
        )
        #: called whenever the marketplace should be told something
        self.changed = changed
        #: set when the process is about to end: long steps give up
        self.stopping = False
        #: by code: why this machine can start nothing now
        self._problems: dict[str, Problem] = {}
        self._containers: tuple[Container, ...] = ()
        #: when they were looked at, on the clock since boot
        self._looked_ms = 0
        self._retries = Retries(clock)

    def request(
        self,
        *,
        hold_s: int = SYNC_HOLD_S_MAX,
        hardware: Hardware | None = None,
        usage: Usage | None = None,
        incidents: Sequence[Incident] = (),
    ) -> SyncRequest:
        """Return what the marketplace is told now."""
        boot_id, boot_ms = self._clock.boot_id(), self._clock.boot_ms()
        # Before the placements: what they tell may be newer than it, and never older.
        nonce, revision = self._journal.fact("nonce"), int(self._journal.fact("revision") or 0)
        # Before the intervals: what is gone by now has closed its last one.
        placements = tuple(
            report(placement, boot_id=boot_id, boot_ms=boot_ms)
            for placement in self._journal.placements().values()
        )
        refused = tuple(
            ObservedPlacement(placement_id=one, state=ObservedState.GONE, problem=said)
            for one, said in self._hearing.malformed.items()
        )
        newest = self._journal.newest_unsent()
        intervals = self._journal.unsent(most=INTERVALS_PER_SYNC)
        return SyncRequest(
            agent_version=VERSION,
            boot_id=boot_id,
            nonce=nonce,
            revision=revision,
            hold_s=hold_s,
            placements=(
                *last_word.in_order(placements, sent=intervals, newest=newest),
                *refused,
            )[:DESIRED_MOST],
            intervals=intervals,
            hardware=hardware,
            volumes=self._observed_volumes(),
            problem=next(iter(self._problems.values()), None),
            ports=self._acceptance.ports_total(),
            usage=usage,
            incidents=tuple(incidents),
        )

    def apply(self, heard: Heard) -> None:
        """Take over what the marketplace desires.

        :raises StaleReply: when its revision is below the newest seen; nothing is changed.
        """
        self._hearing.apply(heard)

    def validators(self) -> tuple[str, ...]:
        """Return the public keys of the validators that may log in."""
        return tuple(self._journal.fact("validators").splitlines())

    def is_idle(self) -> bool:
        """Say whether nothing is about to start."""
        busy = (ObservedState.ACCEPTED, ObservedState.PREPARING)
        return not any(one.state in busy for one in self._journal.placements().values())

    def tend(self) -> None:
        """Make and remove volumes; what fails is tried again at the next call."""
        if self._volumes is not None and self._volumes.converge():
            self.changed()

    def states(self) -> dict[str, int]:
        """Return how many placements are in each state."""
        return dict(Counter(one.state.value for one in self._journal.placements().values()))

    def seen(self) -> tuple[tuple[Placement, Container], ...]:
        """Return each placement whose run is in a container, as the newest look showed it."""
        journal = self._journal.placements()
        return tuple(
            (placement, container)
            for container in self._containers
            if (placement := journal.get(container.placement_id)) is not None
            and placement.run is not None
            and placement.run.token == container.token
        )

    def plan(self) -> tuple[Action, ...]:
        """Look at the machine and return what has to be done and may be tried now.

        :raises EngineUnavailable: when Docker does not answer; the marketplace will hear of it.
        """
        is_full = self._room_bytes() < ROOM_BYTES_LEAST
        self._note("disk_full", DISK_FULL if is_full else "")
        self._end_unfunded()
        nonce = self._journal.fact("nonce")
        # Before the look: what ends during it is not counted beyond it.
        self._looked_ms = self._clock.boot_ms()
        self._containers = self._look()
        self._counting.saw_running(self._containers, nonce=nonce)
        traces = self._runtime.traces()
        # The journal is read last: what is there was journalled before it was made.
        placements = self._journal.placements()
        actions = reconcile(journal=placements, containers=self._containers, traces=traces)
        return tuple(
            action
            for action in actions
            if self._retries.is_due(action) and not self._waits_for_login(action, placements)
        )

    def perform(self, action: Action) -> bool:
        """Do one action and say whether it is done; it may block.

        What fails, for whatever reason, is tried again later.
        """
        try:
            self._steps.perform(action)
        except Interrupted:
            return False
        except Exception as error:
            # One placement's defect must neither take the others down nor keep a core busy.
            if self._retries.failed(action, error):
                self._report(action, error)
            return False
        self._retries.succeeded(action)
        return True

    def count(self) -> None:
        """Close an interval of every run that has gone uncounted for 10 s."""
        if self._counting.close_due(self._containers, looked_ms=self._looked_ms):
            self.changed()

    def end_all(self, *, message: str) -> None:
        """End every placement and remove what they have; what cannot be removed now stays noted."""
        for placement in self._journal.placements().values():
            if placement.want is not Want.END:
                self._steps.end(placement.placement_id, "lease_ended", message)
        for action in self.plan():
            self.perform(action)

    def _waits_for_login(self, action: Action, placements: Mapping[UUID, Placement]) -> bool:
        """Say whether its image is a private one and an agent before this one had the log-in."""
        placement = placements.get(action.placement_id)
        return (
            action.step is Step.FETCH
            and placement is not None
            and placement.needs_login
            and action.placement_id not in self._hearing.logins
        )

    def _observed_volumes(self) -> tuple[ObservedVolume, ...]:
        known = () if self._volumes is None else self._volumes.observed()
        refused = (
            ObservedVolume(volume_id=one, state=VolumeState.REFUSED, problem=said)
            for one, said in self._hearing.malformed_volumes.items()
        )
        return (*known, *refused)[:DESIRED_MOST]

    def _look(self) -> tuple[Container, ...]:
        try:
            found = tuple(self._runtime.containers())
        except (EngineUnavailable, EngineRefused) as error:
            self._note(ENGINE_AWAY, str(error) or "Docker does not answer.")
            raise EngineUnavailable(str(error)) from error
        self._note(ENGINE_AWAY, "")
        return found

    def _note(self, code: str, message: str) -> None:
        """Note what keeps this machine from starting anything; an empty message: no more."""
        before = set(self._problems)
        self._problems.pop(code, None)
        if message:
            self._problems[code] = Problem(code=code, message=message[:1000])
        if before != set(self._problems):
            logger.warning("machine changed", extra={"code": code, "detail": message or "is over"})
            self.changed()

    def _end_unfunded(self) -> None:
        """End what has no time left, and stop what has no money left, whoever can be asked."""
        now = {
            "boot_ms": self._clock.boot_ms(),
            "wall_ms": self._clock.wall_ms(),
        }
        boot_id = self._clock.boot_id()
        for placement in self._journal.placements().values():
            if placement.want is Want.END:
                continue
            if not is_funded(placement, boot_id=boot_id, **now):
                self._steps.end(placement.placement_id, "lease_ended", "The funded time is over.")
            elif placement.want is Want.RUN and not is_paid(placement, boot_id=boot_id, **now):
                self._steps.stop_unpaid(placement.placement_id)

    def _report(self, action: Action, error: Exception) -> None:
        """Tell the marketplace of a step that goes on failing."""
        placement = self._journal.find(action.placement_id)
        if placement is None or placement.problem is not None:
            return
        if action.step in STARTS:
            if action.step is not Step.BRING_UP and placement.current is not None:
                self._steps.refuse_change(placement, *reason(placement, error))
            else:
                self._steps.give_up(placement, *reason(placement, error))
        elif action.step is Step.FINISH:
            self._steps.end(
                action.placement_id,
                "outputs_unreadable",
                "This machine could not read what the job left, however often it tried.",
            )
        elif action.step is Step.REMOVE and placement.state is ObservedState.COLLECTING:
            message = "This machine could not remove all of it; its host has to look."
            problem = Problem(code="removal_failed", message=message)
            self._journal.change(action.placement_id, problem=problem)
            self.changed()
