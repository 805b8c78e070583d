"""This will define what the journal knows about one placement on this machine."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import Field

from miner_agent.domain.generation import Generation
from protocol.agent import (
    PAID_OUT,
    DesiredPlacement,
    Notice,
    ObservedPlacement,
    ObservedState,
    Problem,
    PublishedPort,
    Want,
)
from protocol.message import Message
from protocol.receipts import GENESIS
from protocol.workload import DOOR_PORT, JobFile, PlacementKind, Workload

#: a container that dies more often within the time is not started again
DEATHS_MOST = 5
DEATHS_WITHIN_MS = 3_600_000
#: with what it is stopped here while nobody pays for more
NOT_PAID = Problem(code=PAID_OUT, message="What was paid for ahead is used up.")


class Run(Message):
    """One uninterrupted life of a placement's container."""

    number: int
    #: what the engine says of this start; another token means another run
    token: str
    boot_id: str
    #: milliseconds on the clock since boot
    started_ms: int
    #: everything below this age is inside a closed interval
    counted_ms: int = 0
    open: bool = True


class Refusal(Message):
    """A change that cannot be made here; it is not tried again."""

    edition: int
    resets: int
    problem: Problem


class Placement(Message):
    """A journal row.

    ``want`` falls to END once and never rises again. What is to run is in ``workload`` and beside
    it; what its container was made as is ``current``, and what is to take its place is ``coming``.
    """

    placement_id: UUID
    want: Want
    state: ObservedState
    workload: Workload
    edition: int = 0
    resets: int = 0
    #: how often it was asked to start anew, and how many of those are done
    restarts: int = 0
    restarted: int = 0
    gpu_uuids: tuple[str, ...] = ()
    authorized_keys: tuple[str, ...] = ()
    #: the keys that the rental's door accepts now
    written_keys: tuple[str, ...] = ()
    #: why it stops soon, as the marketplace says, and what is said of that inside now
    notice: Notice | None = None
    written_notice: Notice | None = None
    #: port inside -> port of the machine, the SSH door's included
    ports: dict[int, int] = Field(default_factory=dict)
    #: the network slot; None: it has no network, or nothing of the machine now
    slot: int | None = None
    #: empty: it has nothing of the machine now but its disk and its ports
    cores: tuple[int, ...] = ()
    #: None: nothing of it ever ran
    current: Generation | None = None
    #: its image is here; it was not started yet
    coming: Generation | None = None
    #: how many numbers of generations were given away
    generations: int = 0
    refused: Refusal | None = None
    host_key: str | None = None
    progress: str = ""
    problem: Problem | None = None
    #: what ran cannot run here any more: it stays stopped until it is asked for something else
    gave_up: bool = False
    run: Run | None = None
    #: when its container died unasked, in ms of the wall clock; only what ``dies_too_often`` needs
    died_wall_ms: tuple[int, ...] = ()
    exit_code: int | None = None
    #: what a job left, stored by the marketplace already
    outputs: tuple[JobFile, ...] = ()
    #: only who logs in may fetch its image; the log-in itself is never written down
    needs_login: bool = False
    #: when the funded time ends; the clock since boot counts while ``funded_boot_id`` is this boot
    funded_until_boot_ms: int = 0
    funded_until_wall_ms: int = 0
    funded_boot_id: str = ""
    #: when what is set aside for it ends, by the same two clocks; None: not before the funded time
    paid_until_boot_ms: int | None = None
    paid_until_wall_ms: int | None = None
    #: sequence and ``previous`` of the next interval
    sequence: int = 0
    previous: str = GENESIS

    @property
    def kind(self) -> PlacementKind:
        """Return what kind of product it is; that never changes."""
        return self.workload.kind

    @property
    def port(self) -> int | None:
        """Return the port of its SSH door, None where it has none."""
        return self.ports.get(DOOR_PORT)

    @property
    def has_room(self) -> bool:
        """Say whether it holds cores, memory, GPUs and network now."""
        return bool(self.cores)

    @property
    def may_run(self) -> bool:
        """Say whether it is to run and has what that takes."""
        return self.want is Want.RUN and self.has_room and not self.gave_up


def is_as_desired(placement: Placement, generation: Generation | None) -> bool:
    """Say whether a container made so is what is to run now."""
    return generation is not None and (
        generation.edition,
        generation.resets,
        generation.gpu_uuids,
        generation.slot,
        generation.cores,
        generation.ports,
    ) == (
        placement.edition,
        placement.resets,
        placement.gpu_uuids,
        placement.slot,
        placement.cores,
        placement.ports,
    )


def is_as_wished(placement: Placement, desired: DesiredPlacement) -> bool:
    """Say whether what is to run here is what the marketplace desires."""
    return (placement.edition, placement.resets) == (desired.edition, desired.resets)


def keeps_disk(placement: Placement) -> bool:
    """Say whether what is to run next adopts the disk of what ran last."""
    current = placement.current
    return (
        current is not None
        and current.workload.image == placement.workload.image
        and current.resets == placement.resets
    )


def reverted(placement: Placement) -> dict[str, object]:
    """Return the changes after which exactly what ran last is to run again.

    :raises ValueError: when nothing ever ran.
    """
    current = placement.current
    if current is None:
        raise ValueError("Nothing of it ever ran.")
    return {
        "workload": current.workload,
        "edition": current.edition,
        "resets": current.resets,
        "gpu_uuids": current.gpu_uuids,
        "slot": current.slot,
        "cores": current.cores,
        "ports": current.ports,
        "coming": None,
    }


def is_funded(placement: Placement, *, boot_id: str, boot_ms: int, wall_ms: int) -> bool:
    """Say whether funded time is left; after a reboot only the wall clock can tell."""
    if placement.funded_boot_id == boot_id:
        return boot_ms < placement.funded_until_boot_ms
    return wall_ms < placement.funded_until_wall_ms


def is_paid(placement: Placement, *, boot_id: str, boot_ms: int, wall_ms: int) -> bool:
    """Say whether it may go on running; after a reboot only the wall clock can tell."""
    if placement.paid_until_boot_ms is None or placement.paid_until_wall_ms is None:
        return True
    if placement.funded_boot_id == boot_id:
        return boot_ms < placement.paid_until_boot_ms
    return wall_ms < placement.paid_until_wall_ms


def deaths(placement: Placement, *, wall_ms: int) -> tuple[int, ...]:
    """Return the deaths that still count, with one now as the newest."""
    return (*placement.died_wall_ms[-DEATHS_MOST:], wall_ms)


def dies_too_often(placement: Placement, *, wall_ms: int) -> bool:
    """Say whether starting it again is in vain: a reboot every few days is not."""
    recent = [at for at in placement.died_wall_ms if wall_ms - at < DEATHS_WITHIN_MS]
    return len(recent) > DEATHS_MOST


def report(placement: Placement, *, boot_id: str, boot_ms: int) -> ObservedPlacement:
    """Return what the marketplace is told about this placement now."""
    run = placement.run
    same_boot = run is not None and run.boot_id == boot_id
    shown = placement.state is ObservedState.RUNNING
    # What runs is told, not what is to run.
    made = placement.current or placement
    refused = placement.refused
    return ObservedPlacement(
        placement_id=placement.placement_id,
        state=placement.state,
        progress=placement.progress[:200],
        problem=placement.problem,
        run=0 if run is None else run.number,
        age_ms=max(0, boot_ms - run.started_ms) if run is not None and same_boot else None,
        ssh_port=made.ports.get(DOOR_PORT) if shown else None,
        ssh_host_key=placement.host_key if shown else None,
        exit_code=placement.exit_code,
        outputs=placement.outputs,
        ports=tuple(
            PublishedPort(inside=inside, outside=outside)
            for inside, outside in sorted(made.ports.items())
            if inside != DOOR_PORT
        ),
        edition=made.edition,
        restarts=placement.restarted,
        resets=made.resets,
        change_problem=None if refused is None else refused.problem,
        problem_edition=0 if refused is None else refused.edition,
    )


def fingerprint(placements: Sequence[ObservedPlacement]) -> str:
    """Return a text that changes whenever something else than an age changes."""
    return "\n".join(
        placement.model_dump_json(exclude={"age_ms"})
        for placement in sorted(placements, key=lambda placement: placement.placement_id)
    )
