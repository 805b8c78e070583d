"""This will accept a desired placement: everything it needs is claimed before Docker is touched."""

from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network

from miner_agent.domain.placement import Placement
from miner_agent.domain.resources import (
    NoCapacity,
    check_bytes,
    choose_cores,
    choose_port,
    choose_slot,
)
from miner_agent.journal import CORE, GPU, PORT, SLOT, ClaimTaken, Journal
from protocol.agent import DesiredPlacement, ObservedState, Problem, Want
from protocol.workload import PlacementKind

#: of a machine that leaves the counting to its marketplace
UNLIMITED = 1 << 50


class Acceptance:
    """What this machine has to give away: ports, network slots, cores and GPUs."""

    def __init__(
        self,
        *,
        port_first: int,
        port_last: int,
        ports_taken: Collection[int] = (),
        network: IPv4Network,
        cores: tuple[int, ...],
        memory_bytes: int = UNLIMITED,
        disk_bytes: int = UNLIMITED,
        gpu_uuids: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._port_first = port_first
        self._port_last = port_last
        self._network = network
        self.cores = cores
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._gpu_uuids = gpu_uuids
        #: ports of the range that the agent itself or another program of this machine has
        self._ports_taken = set(ports_taken)

    def accept(
        self, desired: DesiredPlacement, *, funding: Mapping[str, object], journal: Journal
    ) -> Placement:
        """Journal the placement with its claims, or as gone with the reason why it cannot run.

        ``funding`` says until when, empty that it shall end. It is part of the same write: a look
        or a kill between two writes would find a placement whose time is over
        (tests/miner_agent/test_kill_points.py).
        """
        refused = Placement(
            placement_id=desired.placement_id,
            want=Want.END,
            state=ObservedState.GONE,
            workload=desired.workload,
        )
        if not funding:
            journal.insert(refused, {})
            return refused
        try:
            return self._claim(desired, funding, journal)
        except (NoCapacity, ClaimTaken) as error:
            problem = Problem(code="no_capacity", message=f"This machine has no room: {error}")
        except Unfit as error:
            problem = Problem(code="start_failed", message=str(error))
        refused = refused.model_copy(update={"problem": problem})
        journal.insert(refused, {})
        return refused

    def move_port(self, placement: Placement, *, journal: Journal) -> None:
        """Choose another port, because a foreign program listens on the placement's.

        Where none is left the placement ends with ``port_unavailable``.
        """
        if placement.port is not None:
            self._ports_taken.add(placement.port)
        try:
            journal.move_port(placement.placement_id, self._free_port(journal))
        except NoCapacity as error:
            problem = Problem(code="port_unavailable", message=str(error))
            journal.change(placement.placement_id, want=Want.END, problem=problem)

    def _claim(
        self, desired: DesiredPlacement, funding: Mapping[str, object], journal: Journal
    ) -> Placement:
        resources = desired.workload.resources
        if desired.workload.kind is not PlacementKind.RENTAL:
            raise Unfit("This version of the agent runs rentals only.")
        if desired.next_sequence > 0:
            raise Unfit("This machine has lost its journal of this placement.")
        if resources.ram.capacity < 1:
            # Docker reads nothing as no limit at all.
            raise Unfit("A rental without memory cannot run.")
        if resources.gpu.count != len(desired.gpu_uuids):
            raise Unfit("The number of GPUs differs from the list of GPUs.")
        missing = set(desired.gpu_uuids) - self._gpu_uuids()
        if missing:
            raise NoCapacity(f"it has no GPU {', '.join(sorted(missing))}.")
        self._check_room(desired, journal)
        taken_cores = {int(core) for core in journal.claimed(CORE)}
        taken_slots = {int(slot) for slot in journal.claimed(SLOT)}
        placement = Placement(
            placement_id=desired.placement_id,
            want=Want.RUN,
            state=ObservedState.ACCEPTED,
            workload=desired.workload,
            gpu_uuids=desired.gpu_uuids,
            authorized_keys=desired.authorized_keys,
            port=self._free_port(journal),
            slot=choose_slot(network=self._network, taken=taken_slots),
            cores=choose_cores(count=resources.cpu.count, usable=self.cores, taken=taken_cores),
        ).model_copy(update=funding)
        claims = {
            PORT: (placement.port,),
            SLOT: (placement.slot,),
            CORE: placement.cores,
            GPU: placement.gpu_uuids,
        }
        journal.insert(placement, claims)
        return placement

    def _check_room(self, desired: DesiredPlacement, journal: Journal) -> None:
        held = [
            placement.workload.resources
            for placement in journal.placements().values()
            if placement.state is not ObservedState.GONE
        ]
        asked = desired.workload.resources
        memory_bytes = self._memory_bytes - sum(one.ram.capacity for one in held)
        disk_bytes = self._disk_bytes - sum(one.hard_disk.capacity for one in held)
        check_bytes("memory", asked=asked.ram.capacity, free=memory_bytes)
        check_bytes("disk", asked=asked.hard_disk.capacity, free=disk_bytes)

    def _free_port(self, journal: Journal) -> int:
        taken = {int(port) for port in journal.claimed(PORT)} | self._ports_taken
        return choose_port(first=self._port_first, last=self._port_last, taken=taken)


class Unfit(Exception):
    """The placement cannot run on this machine at all."""
