"""This will hold the agent's steps: take what is desired, act on it, count time, report.

Nothing here waits or reads a clock of its own: ``supervisor.py`` drives it on a machine, a
simulation on virtual time.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent import VERSION
from miner_agent.acceptance import Acceptance
from miner_agent.clock import Clock
from miner_agent.containers import PortTaken
from miner_agent.counting import Counting
from miner_agent.domain import last_word
from miner_agent.domain.placement import Placement, dies_too_often, is_funded, report
from miner_agent.domain.reconcile import Action, Container, Step, is_same_run, reconcile
from miner_agent.domain.reply import Malformed
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import CORE, SLOT, Journal
from miner_agent.retries import PortMoved, Retries, reason
from miner_agent.runtime import CannotRun, Runtime
from protocol.agent import (
    DESIRED_MOST,
    SYNC_HOLD_S_MAX,
    DesiredPlacement,
    ObservedPlacement,
    ObservedState,
    Problem,
    SyncReply,
    SyncRequest,
    Want,
)
from protocol.hardware import Hardware
from protocol.usage import Incident, Usage

logger = logging.getLogger(__name__)

INTERVALS_PER_SYNC = 500


class Interrupted(Exception):
    """What was being done is not wanted any more."""


class StaleReply(Exception):
    """A reply older than one that was already applied."""


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
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._runtime = runtime
        self._clock = clock
        self._counting = Counting(journal=journal, clock=clock, key=key)
        self._acceptance = acceptance
        #: called whenever the marketplace should be told something
        self.changed = changed
        #: set when the process is about to end: long steps give up
        self.stopping = False
        #: why this machine can start nothing now
        self._problem: Problem | None = None
        self._containers: dict[UUID, Container] = {}
        self._retries = Retries(clock)
        #: desired in a way that nobody can read, and nothing of them is here
        self._malformed: dict[UUID, Problem] = {}

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
        # Before the intervals: what is gone by now has closed its last one.
        placements = tuple(
            report(placement, boot_id=boot_id, boot_ms=boot_ms)
            for placement in self._journal.placements().values()
        )
        refused = tuple(
            ObservedPlacement(placement_id=one, state=ObservedState.GONE, problem=said)
            for one, said in self._malformed.items()
        )
        newest = self._journal.newest_unsent()
        intervals = self._journal.unsent(most=INTERVALS_PER_SYNC)
        return SyncRequest(
            agent_version=VERSION,
            boot_id=boot_id,
            nonce=self._journal.fact("nonce"),
            revision=int(self._journal.fact("revision") or 0),
            hold_s=hold_s,
            placements=(
                *last_word.in_order(placements, sent=intervals, newest=newest),
                *refused,
            )[:DESIRED_MOST],
            intervals=intervals,
            hardware=hardware,
            problem=self._problem,
            usage=usage,
            incidents=tuple(incidents),
        )

    def apply(self, reply: SyncReply, malformed: Sequence[Malformed] = ()) -> None:
        """Take over what the marketplace desires.

        What is ``malformed`` is desired too, only nobody can say how.

        :raises StaleReply: when its revision is below the newest seen; nothing is changed.
        """
        if reply.revision < int(self._journal.fact("revision") or 0):
            raise StaleReply(f"Revision {reply.revision} is older than what was applied.")
        known = self._journal.placements()
        self._malformed = self._set_aside(malformed, known)
        for desired in reply.desired:
            if known.pop(desired.placement_id, None) is None:
                funding = self._funding(desired)
                self._acceptance.accept(desired, funding=funding, journal=self._journal)
                logger.info("placement accepted", extra={"placement": str(desired.placement_id)})
            else:
                self._update(desired)
        for placement in known.values():
            if placement.state is ObservedState.GONE:
                self._journal.forget(placement.placement_id)
            else:
                self._journal.change(placement.placement_id, want=Want.END)
        # Remembered last: killed before this line, the agent asks for the same revision again.
        self._journal.remember(
            nonce=reply.nonce,
            revision=str(reply.revision),
            validators="\n".join(reply.validators),
        )

    def validators(self) -> tuple[str, ...]:
        """Return the public keys of the validators that may log in."""
        return tuple(self._journal.fact("validators").splitlines())

    def cores_free(self) -> tuple[int, ...]:
        """Return the cores that no placement holds."""
        taken = {int(core) for core in self._journal.claimed(CORE)}
        return tuple(core for core in self._acceptance.cores if core not in taken)

    def states(self) -> dict[str, int]:
        """Return how many placements are in each state."""
        return dict(Counter(one.state.value for one in self._journal.placements().values()))

    def seen(self) -> tuple[tuple[Placement, Container], ...]:
        """Return each placement whose run is in a container, as the newest look showed it."""
        containers, journal = self._containers, self._journal.placements()
        return tuple(
            (placement, container)
            for placement_id, container in containers.items()
            if (placement := journal.get(placement_id)) is not None
            and placement.run is not None
            and placement.run.token == container.token
        )

    def plan(self) -> tuple[Action, ...]:
        """Look at the machine and return what has to be done and may be tried now.

        :raises EngineUnavailable: when Docker does not answer; the marketplace will hear of it.
        """
        self._end_unfunded()
        nonce = self._journal.fact("nonce")
        self._containers = self._look()
        self._counting.saw_running(self._containers.values(), nonce=nonce)
        traces = self._runtime.traces()
        # The journal is read last: what is there was journalled before it was made.
        actions = reconcile(
            journal=self._journal.placements(), containers=self._containers, traces=traces
        )
        return tuple(action for action in actions if self._retries.is_due(action.placement_id))

    def perform(self, action: Action) -> bool:
        """Do one action and say whether it is done; it may block.

        What fails, for whatever reason, is tried again later.
        """
        try:
            self._perform(action)
        except Interrupted:
            return False
        except Exception as error:
            # One placement's defect must neither take the others down nor keep a core busy.
            if self._retries.failed(action.placement_id, error):
                self._report(action, error)
            return False
        self._retries.succeeded(action.placement_id)
        return True

    def count(self) -> None:
        """Close an interval of every run that has gone uncounted for 10 s."""
        if self._counting.close_due(self._containers):
            self.changed()

    def end_all(self, *, message: str) -> None:
        """End every placement and remove what they have; what cannot be removed now stays noted."""
        for placement in self._journal.placements().values():
            if placement.want is Want.RUN:
                self._give_up(placement.placement_id, "lease_ended", message)
        for action in self.plan():
            self.perform(action)

    def _set_aside(
        self, malformed: Sequence[Malformed], known: dict[UUID, Placement]
    ) -> dict[UUID, Problem]:
        """Return what is refused; what is here already goes on as it was desired before."""
        refused = {}
        for one in malformed:
            logger.warning(
                "placement cannot be read",
                extra={"placement": str(one.id), "error": one.problem.message},
            )
            if known.pop(one.id, None) is None:
                refused[one.id] = one.problem
            elif one.ends:
                self._journal.change(one.id, want=Want.END)
        return refused

    def _look(self) -> dict[UUID, Container]:
        try:
            found = dict(self._runtime.containers())
        except (EngineUnavailable, EngineRefused) as error:
            self._note(Problem(code="docker_unavailable", message=str(error)[:1000]))
            raise EngineUnavailable(str(error)) from error
        self._note(None)
        return found

    def _note(self, problem: Problem | None) -> None:
        changed = (problem is None) is not (self._problem is None)
        self._problem = problem
        if changed:
            self.changed()

    def _perform(self, action: Action) -> None:
        placement = self._journal.find(action.placement_id)
        if action.step is Step.REMOVE:
            self._remove(action.placement_id, placement)
        elif placement is None or placement.want is Want.END:
            return
        elif action.step is Step.REKEY:
            self._runtime.rekey(placement)
            self._journal.change(action.placement_id, written_keys=placement.authorized_keys)
        else:
            self._bring_up(placement)

    def _bring_up(self, placement: Placement) -> None:
        placement_id = placement.placement_id
        # The plan may be older than a start that has just succeeded: look again.
        container = self._runtime.find(placement_id)
        if placement.state is ObservedState.RUNNING and is_same_run(placement, container):
            return
        placement = self._counting.end_lost_run(placement, container)
        if dies_too_often(placement, wall_ms=self._clock.wall_ms()):
            self._give_up(placement_id, "start_failed", "The container ended again and again.")
            return
        if placement.run is not None and container is None:
            message = "Its container is gone from this machine, and its files with it."
            self._give_up(placement_id, "container_lost", message)
            return
        self._journal.change(placement_id, state=ObservedState.PREPARING)
        self.changed()
        try:
            running = self._runtime.bring_up(
                placement, progress=lambda text: self._show(placement_id, text)
            )
        except (CannotRun, PortTaken) as error:
            if placement.run is not None:
                # The renter's files are in this container: it is waited for, never replaced.
                raise
            self._refuse(placement, error)
            return
        self._counting.start_run(placement, running)
        logger.info("placement runs", extra={"placement": str(placement_id)})
        self.changed()

    def _refuse(self, placement: Placement, error: CannotRun | PortTaken) -> None:
        """Give up what has never run, unless another port may help.

        :raises PortMoved: when it may.
        """
        if isinstance(error, CannotRun):
            self._give_up(placement.placement_id, error.code, str(error))
            return
        self._acceptance.move_port(placement, journal=self._journal)
        raise PortMoved(str(error)) from error

    def _remove(self, placement_id: UUID, placement: Placement | None) -> None:
        if placement is not None and placement.state is not ObservedState.GONE:
            nonce = self._journal.fact("nonce")
            container = self._runtime.find(placement_id)
            self._counting.saw_running([container] if container else [], nonce=nonce)
            self._counting.end_run(placement, container)
            self._journal.change(placement_id, state=ObservedState.COLLECTING, progress="")
            self.changed()
        self._runtime.remove(placement_id)
        if placement is not None and placement.state is not ObservedState.GONE:
            self._journal.release(placement_id)
            logger.info("placement gone", extra={"placement": str(placement_id)})
            self.changed()
        self._runtime.trim(frozenset(int(slot) for slot in self._journal.claimed(SLOT)))

    def _update(self, desired: DesiredPlacement) -> None:
        placement_id = desired.placement_id
        self._journal.confirm(placement_id, next_sequence=desired.next_sequence)
        if desired.refused is not None:
            self._counting.rechain(placement_id, desired.refused, sequence=desired.next_sequence)
        # A placement that ended here, for whatever reason, never starts again.
        changes = self._funding(desired) or {"want": Want.END}
        self._journal.change(placement_id, authorized_keys=desired.authorized_keys, **changes)

    def _funding(self, desired: DesiredPlacement) -> dict[str, object]:
        """Return until when it is funded, as the journal keeps it; empty: it shall end."""
        if desired.want is Want.END or desired.run_for_ms is None:
            return {}
        return {
            "funded_until_boot_ms": self._clock.boot_ms() + desired.run_for_ms,
            "funded_until_wall_ms": self._clock.wall_ms() + desired.run_for_ms,
            "funded_boot_id": self._clock.boot_id(),
        }

    def _end_unfunded(self) -> None:
        boot_id = self._clock.boot_id()
        for placement in self._journal.placements().values():
            if placement.want is Want.END or is_funded(
                placement,
                boot_id=boot_id,
                boot_ms=self._clock.boot_ms(),
                wall_ms=self._clock.wall_ms(),
            ):
                continue
            self._give_up(placement.placement_id, "lease_ended", "The funded time is over.")

    def _give_up(self, placement_id: UUID, code: str, message: str) -> None:
        problem = Problem(code=code, message=message[:1000])
        self._journal.change(placement_id, want=Want.END, problem=problem)
        logger.info("placement ends", extra={"placement": str(placement_id), "code": code})
        self.changed()

    def _report(self, action: Action, error: Exception) -> None:
        """Tell the marketplace of a step that goes on failing."""
        placement = self._journal.find(action.placement_id)
        if placement is None or placement.problem is not None:
            return
        if action.step is Step.BRING_UP:
            self._give_up(action.placement_id, *reason(placement, error))
        elif action.step is Step.REMOVE and placement.state is ObservedState.COLLECTING:
            message = "This machine could not remove all of it; its host has to look."
            problem = Problem(code="removal_failed", message=message)
            self._journal.change(action.placement_id, problem=problem)
            self.changed()

    def _show(self, placement_id: UUID, progress: str) -> None:
        placement = self._journal.get(placement_id)
        if self.stopping or placement.want is Want.END:
            raise Interrupted
        if placement.progress != progress:
            self._journal.change(placement_id, progress=progress)
            self.changed()
