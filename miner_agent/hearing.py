"""This will take over what the marketplace desires, placement by placement, into the journal."""

import logging
from collections.abc import Sequence
from uuid import UUID

from miner_agent.acceptance import Acceptance
from miner_agent.clock import Clock
from miner_agent.counting import Counting
from miner_agent.domain.placement import NOT_PAID, Placement
from miner_agent.domain.reply import Heard, Malformed
from miner_agent.journal import Journal
from miner_agent.volumes import Volumes
from protocol.agent import DesiredPlacement, ObservedState, Problem, RegistryLogin, Want
from protocol.workload import PlacementKind

logger = logging.getLogger(__name__)


class StaleReply(Exception):
    """A reply older than one that was already applied."""


class Hearing:
    """What this machine was told, and what of it cannot be."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        counting: Counting,
        acceptance: Acceptance,
        volumes: Volumes | None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._counting = counting
        self._acceptance = acceptance
        self._volumes = volumes
        #: who may fetch private images; never written down
        self.logins: dict[UUID, RegistryLogin] = {}
        #: desired in a way that nobody can read, and nothing of them is here
        self.malformed: dict[UUID, Problem] = {}
        self.malformed_volumes: dict[UUID, Problem] = {}

    def apply(self, heard: Heard) -> None:
        """Take over what the marketplace desires.

        What is malformed is desired too, only nobody can say how. While some are nameless, none is
        missing.

        :raises StaleReply: when its revision is below the newest seen; nothing is changed.
        """
        reply = heard.reply
        if reply.revision < int(self._journal.fact("revision") or 0):
            raise StaleReply(f"Revision {reply.revision} is older than what was applied.")
        known = self._journal.placements()
        self.malformed = self._set_aside(heard.placements, known)
        self.logins = {
            desired.placement_id: desired.registry_login
            for desired in reply.desired
            if desired.registry_login is not None
        }
        # Before the placements: a new one may come with its volume.
        self._desire_volumes(heard)
        for desired in reply.desired:
            if known.pop(desired.placement_id, None) is None:
                self._accept(desired)
            else:
                self._update(desired)
        for placement in known.values() if not heard.nameless else ():
            if placement.state is ObservedState.GONE:
                self._journal.forget(placement.placement_id)
            else:
                self._end(placement)
        # Remembered last: killed before this line, the agent asks for the same revision again.
        self._journal.remember(
            nonce=reply.nonce,
            revision=str(reply.revision),
            validators="\n".join(reply.validators),
            gateways="\n".join(reply.gateways),
        )

    def _desire_volumes(self, heard: Heard) -> None:
        if self._volumes is None:
            return
        # Of those that are here already, what was desired before goes on: silence removes nothing.
        here = {one.volume_id for one in self._volumes.observed()}
        self.malformed_volumes = {
            one.id: one.problem for one in heard.volumes if one.id not in here
        }
        free_bytes = self._acceptance.disk_bytes_free(self._journal)
        self._volumes.desire(heard.reply.volumes, free_bytes=free_bytes)

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
                self._end(self._journal.get(one.id))
        return refused

    def _accept(self, desired: DesiredPlacement) -> None:
        changes = self._changes(desired)
        self._acceptance.accept(desired, changes=changes, journal=self._journal)
        logger.info("placement accepted", extra={"placement": str(desired.placement_id)})

    def _update(self, desired: DesiredPlacement) -> None:
        placement_id = desired.placement_id
        self._journal.confirm(placement_id, next_sequence=desired.next_sequence)
        if desired.refused is not None:
            self._counting.rechain(placement_id, desired.refused, sequence=desired.next_sequence)
        placement = self._journal.get(placement_id)
        changes = self._changes(desired)
        if placement.want is Want.END or changes["want"] is Want.END:
            # A placement that ended here, for whatever reason, never starts again.
            self._end(placement)
            return
        changes |= _why_stopped(placement, desired)
        self._acceptance.revise(placement, desired, changes=changes, journal=self._journal)

    def _end(self, placement: Placement) -> None:
        """End what is asked to: whatever else there was to say of it is not why it ends."""
        if placement.want is not Want.END:
            self._journal.change(placement.placement_id, want=Want.END, problem=None)

    def _changes(self, desired: DesiredPlacement) -> dict[str, object]:
        """Return what the journal keeps of every reply: what is wanted, for how long, for whom."""
        is_job = desired.workload.kind is PlacementKind.JOB
        if desired.want is Want.END or desired.run_for_ms is None:
            return {"want": Want.END}
        boot_ms, wall_ms = self._clock.boot_ms(), self._clock.wall_ms()
        paid_ms = desired.stop_after_ms
        # What is paid for no longer is not started only to be stopped by the next look.
        want = Want.STOP if paid_ms == 0 else desired.want
        return {
            # What a job would go on with is in its processes: it cannot be stopped and kept.
            "want": Want.END if is_job and want is Want.STOP else want,
            "authorized_keys": desired.authorized_keys,
            "notice": desired.notice,
            "restarts": desired.restarts,
            "needs_login": desired.registry_login is not None,
            "funded_until_boot_ms": boot_ms + desired.run_for_ms,
            "funded_until_wall_ms": wall_ms + desired.run_for_ms,
            "funded_boot_id": self._clock.boot_id(),
            "paid_until_boot_ms": None if paid_ms is None else boot_ms + paid_ms,
            "paid_until_wall_ms": None if paid_ms is None else wall_ms + paid_ms,
        }


def _why_stopped(placement: Placement, desired: DesiredPlacement) -> dict[str, object]:
    """Return the problem of what is not paid for, which is said for as long as it is not."""
    if desired.want is Want.RUN and desired.stop_after_ms == 0:
        return {"problem": NOT_PAID}
    return {"problem": None} if placement.problem == NOT_PAID else {}
