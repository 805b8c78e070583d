"""This will take in what is desired: everything it needs is claimed before Docker is touched."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import IPv4Network

from miner_agent.domain.claims import CORE, PORT, SLOT
from miner_agent.domain.fitness import Unfit, check_change, check_fit
from miner_agent.domain.placement import Placement, Refusal, is_as_wished
from miner_agent.domain.resources import (
    NoCapacity,
    check_bytes,
    choose_cores,
    choose_slot,
)
from miner_agent.journal import ClaimTaken, Journal
from miner_agent.ports import Ports
from protocol.agent import DesiredPlacement, ObservedState, Problem, Want
from protocol.workload import DOOR_PORT, PlacementKind, Workload

#: of a machine that leaves the counting to its marketplace
UNLIMITED = 1 << 50


class Acceptance:
    """What this machine has to give away: ports, network slots, cores and GPUs."""

    def __init__(
        self,
        *,
        ports: Ports,
        network: IPv4Network,
        cores: tuple[int, ...],
        memory_bytes: int = UNLIMITED,
        disk_bytes: int = UNLIMITED,
        volumes_bytes: Callable[[], int] = lambda: 0,
        gpu_uuids: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._ports = ports
        self._network = network
        self.cores = cores
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        #: what volumes have of the same disk
        self._volumes_bytes = volumes_bytes
        self._gpu_uuids = gpu_uuids
        #: what is free is chosen and claimed by one thread at a time: steps choose ports too
        self._choosing = threading.Lock()

    def accept(
        self, desired: DesiredPlacement, *, changes: Mapping[str, object], journal: Journal
    ) -> Placement:
        """Journal the placement with its claims, or as gone with the reason why it cannot run.

        ``changes`` say what is wanted and until when. They are part of the same write: a look or a
        kill between two writes would find a placement whose time is over
        (tests/miner_agent/test_kill_points.py).
        """
        placement = Placement(
            placement_id=desired.placement_id,
            want=Want.END,
            state=ObservedState.GONE,
            workload=desired.workload,
            edition=desired.edition,
            resets=desired.resets,
        )
        try:
            if changes["want"] is not Want.END:
                with self._choosing:
                    return self._claim(placement, desired, changes, journal)
        except (NoCapacity, ClaimTaken, Unfit) as error:
            placement = placement.model_copy(update={"problem": _problem(error)})
        journal.insert(placement)
        return placement

    def revise(
        self,
        placement: Placement,
        desired: DesiredPlacement,
        *,
        changes: Mapping[str, object],
        journal: Journal,
    ) -> Placement:
        """Journal ``changes``, a new workload, and what it needs where it is to run.

        A change that cannot be is noted as refused, and what ran before goes on. What is stopped
        and has no room to run stays stopped with its problem. What never ran ends with its own.
        What was given up is tried again once it was asked to stop, or for something else.
        """
        with self._choosing:
            return self._revise(placement, desired, changes, journal)

    def move_port(self, placement: Placement, port: int | None, *, journal: Journal) -> None:
        """Choose another one for ``port``, because a foreign program listens there; None: for all.

        Where none is left the placement ends with ``port_unavailable``.
        """
        lost = {port} if port is not None else set(placement.ports.values())
        kept = {inside: one for inside, one in placement.ports.items() if one not in lost}
        moved = placement.model_copy(update={"ports": kept})
        with self._choosing:
            self._ports.avoid(lost)
            try:
                ports = self._choose_ports(moved, tuple(placement.ports), journal)
            except NoCapacity as error:
                problem = Problem(code="port_unavailable", message=str(error))
                journal.change(placement.placement_id, want=Want.END, problem=problem)
            else:
                journal.change(placement.placement_id, ports=ports)

    def ports_total(self) -> int:
        """Return how many ports of the machine placements may get, in all."""
        with self._choosing:
            return self._ports.count()

    def disk_bytes_free(self, journal: Journal) -> int:
        """Return what no placement and no volume has of the disk."""
        placements = journal.placements().values()
        return self._disk_bytes_free(one for one in placements if not _is_gone(one))

    def avoid(self, port: int | None) -> None:
        """Give this port to nobody for a while: a foreign program listens there."""
        if port is not None:
            with self._choosing:
                self._ports.avoid((port,))

    def _revise(
        self,
        placement: Placement,
        desired: DesiredPlacement,
        changes: Mapping[str, object],
        journal: Journal,
    ) -> Placement:
        changed = placement.model_copy(update=changes)
        if placement.gave_up:
            if not _asks_anew(placement, changed, desired):
                return _write(placement, changed, journal)
            changed = changed.model_copy(update={"gave_up": False})
        if is_as_wished(changed, desired):
            changed = changed.model_copy(update={"refused": None})
        elif not _is_refused(changed, desired):
            try:
                revised = self._with_workload(changed, desired, journal)
                return _write(placement, self._with_room(revised, desired, journal), journal)
            except (NoCapacity, ClaimTaken, Unfit) as error:
                if placement.current is None:
                    ended = {"want": Want.END, "problem": _problem(error)}
                    return _write(placement, changed.model_copy(update=ended), journal)
                refused = Refusal(
                    edition=desired.edition, resets=desired.resets, problem=_problem(error)
                )
                changed = changed.model_copy(update={"refused": refused})
        if _keeps_room(changed, desired):
            return _write(placement, changed, journal)
        try:
            return _write(placement, self._with_room(changed, desired, journal), journal)
        except (NoCapacity, ClaimTaken, Unfit) as error:
            waits = {"problem": _problem(error)}
            return _write(placement, changed.model_copy(update=waits), journal)

    def _claim(
        self,
        placement: Placement,
        desired: DesiredPlacement,
        changes: Mapping[str, object],
        journal: Journal,
    ) -> Placement:
        if desired.next_sequence > 0:
            raise Unfit("start_failed", "This machine has lost its journal of this placement.")
        wanted = placement.model_copy(
            update={
                **changes,
                "state": ObservedState.ACCEPTED,
                "restarted": desired.restarts,
            }
        )
        accepted = self._with_room(self._with_workload(wanted, desired, journal), desired, journal)
        journal.insert(accepted)
        return accepted

    def _with_workload(
        self, placement: Placement, desired: DesiredPlacement, journal: Journal
    ) -> Placement:
        """Return the placement with the desired workload, its ports and its part of the disk."""
        workload = desired.workload
        check_fit(desired)
        check_change(placement, desired)
        others = _others(placement, journal)
        asked = workload.resources.hard_disk.capacity
        check_bytes("disk", asked=asked, free=self._disk_bytes_free(others))
        return placement.model_copy(
            update={
                "workload": workload,
                "edition": desired.edition,
                "resets": desired.resets,
                "refused": None,
                "coming": None,
                "ports": self._choose_ports(placement, _insides(workload), journal),
            }
        )

    def _with_room(
        self, placement: Placement, desired: DesiredPlacement, journal: Journal
    ) -> Placement:
        """Return the placement with what running takes, if it is to run."""
        if placement.want is not Want.RUN:
            return placement
        resources = placement.workload.resources
        gpu_uuids = desired.gpu_uuids
        if len(gpu_uuids) != resources.gpu.count:
            raise Unfit("start_failed", "The number of GPUs differs from the list of GPUs.")
        missing = set(gpu_uuids) - self._gpu_uuids()
        if missing:
            raise NoCapacity(f"it has no GPU {', '.join(sorted(missing))}.")
        held = sum(_memory_bytes(one) for one in _others(placement, journal))
        asked = resources.ram.capacity
        check_bytes("memory", asked=asked, free=self._memory_bytes - held)
        mine = placement.cores[: resources.cpu.count]
        taken = {int(core) for core in journal.claimed(CORE)}
        more = resources.cpu.count - len(mine)
        cores = mine + (
            choose_cores(count=more, usable=self.cores, taken=taken) if more or not mine else ()
        )
        updates: dict[str, object] = {"cores": cores, "gpu_uuids": gpu_uuids}
        if placement.slot is None and placement.kind is not PlacementKind.JOB:
            slots = {int(slot) for slot in journal.claimed(SLOT)}
            updates["slot"] = choose_slot(network=self._network, taken=slots)
        if placement.state is ObservedState.STOPPED:
            updates |= {"state": ObservedState.PREPARING, "problem": None}
        return placement.model_copy(update=updates)

    def _disk_bytes_free(self, holders: Iterable[Placement]) -> int:
        held = sum(_disk_bytes(one) for one in holders)
        return self._disk_bytes - held - self._volumes_bytes()

    def _choose_ports(
        self, placement: Placement, insides: Collection[int], journal: Journal
    ) -> dict[int, int]:
        claimed = (int(port) for port in journal.claimed(PORT))
        return self._ports.choose(placement, insides, claimed=claimed)


def _insides(workload: Workload) -> tuple[int, ...]:
    return (DOOR_PORT, *workload.ports) if workload.kind is PlacementKind.RENTAL else ()


def _others(placement: Placement, journal: Journal) -> list[Placement]:
    return [
        one
        for one in journal.placements().values()
        if one.placement_id != placement.placement_id and not _is_gone(one)
    ]


def _is_gone(placement: Placement) -> bool:
    return placement.state is ObservedState.GONE


def _disk_bytes(placement: Placement) -> int:
    parts = (placement, placement.current)
    return max(part.workload.resources.hard_disk.capacity for part in parts if part)


def _memory_bytes(placement: Placement) -> int:
    parts = (placement, placement.current)
    return max(
        (part.workload.resources.ram.capacity for part in parts if part and part.cores), default=0
    )


def _is_refused(placement: Placement, desired: DesiredPlacement) -> bool:
    refused = placement.refused
    return refused is not None and (refused.edition, refused.resets) == (
        desired.edition,
        desired.resets,
    )


def _asks_anew(before: Placement, after: Placement, desired: DesiredPlacement) -> bool:
    """Say whether a reply asks for more than that what was given up runs on."""
    stops, restarts = after.want is Want.STOP, after.restarts != before.restarts
    return stops or restarts or not (is_as_wished(after, desired) or _is_refused(after, desired))


def _keeps_room(placement: Placement, desired: DesiredPlacement) -> bool:
    """Say whether it has what it needs already: what runs is not measured anew at every reply.

    Of a refused change nothing is taken, so what runs keeps its own.
    """
    same_gpus = placement.gpu_uuids == desired.gpu_uuids
    return placement.has_room and (same_gpus or _is_refused(placement, desired))


def _problem(error: NoCapacity | ClaimTaken | Unfit) -> Problem:
    if isinstance(error, Unfit):
        return Problem(code=error.code, message=str(error))
    return Problem(code="no_capacity", message=f"This machine has no room: {error}")


def _write(before: Placement, after: Placement, journal: Journal) -> Placement:
    """Write only what differs: steps of the same placement write meanwhile."""
    names = [
        name for name in Placement.model_fields if getattr(before, name) != getattr(after, name)
    ]
    return journal.change(before.placement_id, **{name: getattr(after, name) for name in names})
