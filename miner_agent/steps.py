"""This will do the steps that reconcile asks for; after a kill at any point each is repeated."""

import logging
from collections.abc import Callable
from uuid import UUID

from miner_agent.acceptance import Acceptance
from miner_agent.clock import Clock
from miner_agent.containers import PortTaken
from miner_agent.counting import Counting
from miner_agent.domain.claims import SLOT
from miner_agent.domain.generation import Generation
from miner_agent.domain.image import Image
from miner_agent.domain.placement import (
    NOT_PAID,
    Placement,
    Refusal,
    dies_too_often,
    is_as_desired,
    keeps_disk,
    reverted,
)
from miner_agent.domain.reconcile import STARTS, Action, Container, Step, is_same_run
from miner_agent.journal import Journal
from miner_agent.market import MarketRefused
from miner_agent.retries import PortMoved, reason
from miner_agent.runtime import CannotRun, Runtime
from protocol.agent import ObservedState, Problem, RegistryLogin, Want
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """What was being done is not wanted any more."""


class Steps:
    """What is done to one placement at a time. Methods block and may be called from any thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        runtime: Runtime,
        clock: Clock,
        counting: Counting,
        acceptance: Acceptance,
        changed: Callable[[], None],
        is_stopping: Callable[[], bool],
        login_of: Callable[[UUID], RegistryLogin | None],
        keep_last: Callable[[Placement], None],
    ) -> None:
        self._journal = journal
        self._runtime = runtime
        self._clock = clock
        self._counting = counting
        self._acceptance = acceptance
        self._changed = changed
        self._is_stopping = is_stopping
        #: who may fetch a private image
        self._login_of = login_of
        #: told of a placement before its container is removed
        self._keep_last = keep_last
        self._do: dict[Step, Callable[[Placement], None]] = {
            Step.FETCH: self._fetch,
            Step.CHANGE: self._change,
            Step.BRING_UP: self._bring_up,
            Step.REKEY: self._rekey,
            Step.NOTIFY: self._notify,
            Step.RESTART: self._restart,
            Step.STOP: self._stop,
            Step.FINISH: self._finish,
            Step.TIDY: self._tidy,
        }

    def perform(self, action: Action) -> None:
        """Do one action; a plan may be old, so each looks at the journal again."""
        placement = self._journal.find(action.placement_id)
        if action.step is Step.REMOVE:
            self._remove(action.placement_id, placement)
        elif placement is None or placement.want is Want.END:
            return
        elif placement.may_run or action.step not in STARTS:
            self._do[action.step](placement)

    def end(self, placement_id: UUID, code: str, message: str) -> None:
        """Let the placement end here, and say why."""
        problem = Problem(code=code, message=message[:1000])
        self._journal.change(placement_id, want=Want.END, problem=problem)
        logger.info("placement ends", extra={"placement": str(placement_id), "code": code})
        self._changed()

    def stop_unpaid(self, placement_id: UUID) -> None:
        """Let the placement stop here, its files kept, until the marketplace says that it is paid.

        A reply that says so may come at the same moment: it starts what was stopped.
        """
        self._journal.change(placement_id, want=Want.STOP, problem=NOT_PAID)
        logger.info("placement not paid", extra={"placement": str(placement_id)})
        self._changed()

    def give_up(self, placement: Placement, code: str, message: str) -> None:
        """Let what never ran end here, and say why; what has run is stopped.

        Its files are its renter's: they go when that is asked for, or nobody pays any more.
        """
        if placement.current is None or placement.kind is PlacementKind.JOB:
            self.end(placement.placement_id, code, message)
            return
        problem = Problem(code=code, message=message[:1000])
        self._journal.change(placement.placement_id, gave_up=True, problem=problem)
        logger.info(
            "placement given up", extra={"placement": str(placement.placement_id), "code": code}
        )
        self._changed()

    def refuse_change(self, placement: Placement, code: str, message: str) -> None:
        """Let what ran last run again; where it has no room any more, it stays stopped."""
        current = placement.current
        if current is None:
            raise ValueError("What never ran has nothing to go back to.")
        problem = Problem(code=code, message=message[:1000])
        changes = reverted(placement) | {"progress": ""}
        if (placement.edition, placement.resets) != (current.edition, current.resets):
            changes["refused"] = Refusal(
                edition=placement.edition, resets=placement.resets, problem=problem
            )
        else:
            changes["problem"] = problem
        if not current.cores:
            changes["state"] = ObservedState.STOPPED
            changes["gave_up"] = "problem" in changes
        self._journal.change(placement.placement_id, **changes)
        logger.info(
            "change refused", extra={"placement": str(placement.placement_id), "code": code}
        )
        self._changed()

    def _fetch(self, placement: Placement) -> None:
        if placement.current is None:
            self._journal.change(placement.placement_id, state=ObservedState.PREPARING)
            self._changed()
        try:
            image = self._image(placement)
        except CannotRun as error:
            self._refuse(placement, error)
            return
        current, number = placement.current, placement.generations
        coming = Generation(
            number=number,
            disk=current.disk if current is not None and keeps_disk(placement) else number,
            edition=placement.edition,
            resets=placement.resets,
            workload=placement.workload,
            image=image,
            gpu_uuids=placement.gpu_uuids,
            slot=placement.slot,
            cores=placement.cores,
            ports=placement.ports,
        )
        fetched = self._journal.change(
            placement.placement_id, coming=coming, generations=number + 1
        )
        if current is None and fetched.want is Want.RUN:
            self._change(fetched)

    def _image(self, placement: Placement) -> Image:
        coming, current = placement.coming, placement.current
        wished = (placement.edition, placement.resets)
        if coming is not None and (coming.edition, coming.resets) == wished:
            return coming.image
        if current is not None and keeps_disk(placement):
            # Its disk fits on exactly this image, whatever its name stands for by now.
            return current.image
        return self._runtime.fetch(
            placement,
            login=self._login_of(placement.placement_id),
            progress=lambda text: self._show(placement, text),
        )

    def _change(self, placement: Placement) -> None:
        coming = placement.coming
        if coming is None or not is_as_desired(placement, coming):
            return
        try:
            self._runtime.make(placement, coming)
            if placement.current is not None:
                self._halt(placement)
            self._journal.change(placement.placement_id, state=ObservedState.PREPARING)
            self._changed()
            running = self._runtime.start(placement, coming)
        except (CannotRun, PortTaken) as error:
            self._refuse(placement, error)
            return
        # Noted in one write: until then the one before is what a new agent goes back to.
        self._counting.start_run(placement, running, generation=coming)
        logger.info(
            "placement runs",
            extra={"placement": str(placement.placement_id), "generation": coming.number},
        )
        self._changed()
        self._tidy(self._journal.get(placement.placement_id))

    def _bring_up(self, placement: Placement) -> None:
        placement_id, current = placement.placement_id, placement.current
        if current is None:
            return
        # The plan may be older than a start that has just succeeded: look again.
        looked_ms = self._clock.boot_ms()
        container = self._runtime.find(placement_id, current.number)
        same_run = is_same_run(placement, container)
        if same_run and placement.state is ObservedState.RUNNING:
            return
        if placement.kind is PlacementKind.JOB and placement.run is not None and not same_run:
            # It has exited since: it is finished next, and never started again.
            return
        placement = self._counting.end_lost_run(placement, container, looked_ms=looked_ms)
        if dies_too_often(placement, wall_ms=self._clock.wall_ms()):
            self.give_up(placement, "start_failed", "The container ended again and again.")
            return
        self._journal.change(placement_id, state=ObservedState.PREPARING)
        self._changed()
        # Whatever hinders it: the renter's files are in it, so it is waited for.
        self._runtime.make(placement, current)
        running = self._runtime.start(placement, current)
        self._counting.start_run(placement, running, generation=current)
        logger.info("placement runs again", extra={"placement": str(placement_id)})
        self._changed()

    def _rekey(self, placement: Placement) -> None:
        self._runtime.rekey(placement)
        self._journal.change(placement.placement_id, written_keys=placement.authorized_keys)

    def _notify(self, placement: Placement) -> None:
        """Say it inside; killed before it is noted, it is said once more."""
        self._runtime.notify(placement)
        self._journal.change(placement.placement_id, written_notice=placement.notice)

    def _restart(self, placement: Placement) -> None:
        self._halt(placement)
        self._journal.change(
            placement.placement_id, state=ObservedState.PREPARING, restarted=placement.restarts
        )
        self._changed()

    def _stop(self, placement: Placement) -> None:
        """End the container first: what it had is given away in the same write that frees it."""
        if placement.may_run:
            return
        self._halt(placement)
        current = placement.current
        if placement.written_notice is not None:
            # What starts later begins without it.
            self._runtime.notify(placement.model_copy(update={"notice": None}))
        self._runtime.tidy(placement.placement_id, kept=() if current is None else (current,))
        self._journal.change(
            placement.placement_id,
            state=ObservedState.STOPPED,
            current=None if current is None else current.without_room(),
            coming=None,
            cores=(),
            gpu_uuids=(),
            slot=None,
            written_notice=None,
            restarted=placement.restarts,
            died_wall_ms=(),
            progress="",
        )
        logger.info("placement stopped", extra={"placement": str(placement.placement_id)})
        self._changed()
        self._trim()

    def _finish(self, placement: Placement) -> None:
        """Note how a job ended and take what it leaves; it never starts again."""
        looked_ms = self._clock.boot_ms()
        container = self._find_current(placement)
        if is_same_run(placement, container):
            # The look that asked for this is older than its start.
            return
        ended = self._counting.end_run(placement, container, looked_ms=looked_ms)
        changes: dict[str, object] = {"state": ObservedState.COLLECTING, "progress": ""}
        run = ended.run
        if ended.problem is None and (
            ended.exit_code is None or (run is not None and run.boot_id != self._clock.boot_id())
        ):
            message = "This machine restarted, or lost the job, before it was done."
            changes |= {"exit_code": None}
            changes["problem"] = Problem(code="job_interrupted", message=message)
        collecting = self._journal.change(placement.placement_id, **changes)
        self._changed()
        left: dict[str, object] = {}
        if collecting.problem is None:
            left = self._collect(collecting)
        self._journal.change(placement.placement_id, want=Want.END, **left)

    def _collect(self, placement: Placement) -> dict[str, object]:
        """Return what a job left, or why it cannot be had."""
        try:
            collected = self._runtime.collect(
                placement, goes_on=lambda: self._refuse_ended(placement)
            )
        except MarketRefused as error:
            message = f"The marketplace does not take its outputs: {error}"[:1000]
            return {"problem": Problem(code="outputs_refused", message=message)}
        return {"outputs": collected.outputs, "problem": collected.problem}

    def _refuse_ended(self, placement: Placement) -> None:
        found = self._journal.find(placement.placement_id)
        if self._is_stopping() or found is None or found.want is Want.END:
            raise Interrupted

    def _tidy(self, placement: Placement) -> None:
        parts = (placement.current, placement.coming)
        kept = tuple(part for part in parts if part is not None)
        self._runtime.tidy(placement.placement_id, kept=kept)

    def _remove(self, placement_id: UUID, placement: Placement | None) -> None:
        is_known = placement is not None and placement.state is not ObservedState.GONE
        if placement is not None and is_known:
            looked_ms = self._clock.boot_ms()
            container = self._find_current(placement)
            self._counting.end_run(placement, container, looked_ms=looked_ms)
            self._journal.change(placement_id, state=ObservedState.COLLECTING, progress="")
            self._changed()
            self._keep_last(placement)
        self._runtime.remove(placement_id)
        if is_known:
            self._journal.release(placement_id)
            logger.info("placement gone", extra={"placement": str(placement_id)})
            self._changed()
        self._trim()

    def _halt(self, placement: Placement) -> None:
        """End the container of what ran last and count it to its end."""
        current = placement.current
        if current is None:
            return
        self._find_current(placement)
        self._runtime.halt(placement.placement_id, current.number)
        looked_ms = self._clock.boot_ms()
        container = self._runtime.find(placement.placement_id, current.number)
        self._counting.end_run(placement, container, looked_ms=looked_ms)

    def _find_current(self, placement: Placement) -> Container | None:
        """Return the container of what ran last, noting under which nonce it was seen."""
        if placement.current is None:
            return None
        nonce = self._journal.fact("nonce")
        container = self._runtime.find(placement.placement_id, placement.current.number)
        self._counting.saw_running([container] if container else [], nonce=nonce)
        return container

    def _refuse(self, placement: Placement, error: CannotRun | PortTaken) -> None:
        """Give up what has never run, unless another port may help; else go back.

        :raises PortMoved: when another port may help.
        """
        if placement.current is None and isinstance(error, PortTaken):
            self._acceptance.move_port(placement, error.port, journal=self._journal)
            raise PortMoved(str(error)) from error
        code, message = reason(placement, error)
        if placement.current is None:
            self.give_up(placement, code, message)
            return
        if isinstance(error, PortTaken):
            self._acceptance.avoid(error.port)
        self.refuse_change(placement, code, message)

    def _trim(self) -> None:
        self._runtime.trim(lambda: frozenset(int(slot) for slot in self._journal.claimed(SLOT)))

    def _show(self, fetching: Placement, progress: str) -> None:
        placement = self._journal.get(fetching.placement_id)
        wished = (placement.edition, placement.resets)
        if (
            self._is_stopping()
            or not placement.may_run
            or wished != (fetching.edition, fetching.resets)
        ):
            raise Interrupted
        if placement.progress != progress:
            self._journal.change(fetching.placement_id, progress=progress)
            self._changed()
