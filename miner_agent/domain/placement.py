"""This will define what the journal knows about one placement on this machine."""

from collections.abc import Sequence
from uuid import UUID

from protocol.agent import ObservedPlacement, ObservedState, Problem, Want
from protocol.message import Message
from protocol.receipts import GENESIS
from protocol.workload import Workload

#: a container that dies more often within the time is not started again
DEATHS_MOST = 5
DEATHS_WITHIN_MS = 3_600_000


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


class Placement(Message):
    """A journal row. ``want`` falls from RUN to END once and never rises again."""

    placement_id: UUID
    want: Want
    state: ObservedState
    workload: Workload
    gpu_uuids: tuple[str, ...] = ()
    authorized_keys: tuple[str, ...] = ()
    #: the keys that the rental's door accepts now
    written_keys: tuple[str, ...] = ()
    port: int | None = None
    #: the network slot
    slot: int | None = None
    cores: tuple[int, ...] = ()
    host_key: str | None = None
    progress: str = ""
    problem: Problem | None = None
    run: Run | None = None
    #: when its container died unasked, in ms of the wall clock; only what ``dies_too_often`` needs
    died_wall_ms: tuple[int, ...] = ()
    exit_code: int | None = None
    #: when the funded time ends; the clock since boot counts while ``funded_boot_id`` is this boot
    funded_until_boot_ms: int = 0
    funded_until_wall_ms: int = 0
    funded_boot_id: str = ""
    #: sequence and ``previous`` of the next interval
    sequence: int = 0
    previous: str = GENESIS


def is_funded(placement: Placement, *, boot_id: str, boot_ms: int, wall_ms: int) -> bool:
    """Say whether funded time is left; after a reboot only the wall clock can tell."""
    if placement.funded_boot_id == boot_id:
        return boot_ms < placement.funded_until_boot_ms
    return wall_ms < placement.funded_until_wall_ms


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
    return ObservedPlacement(
        placement_id=placement.placement_id,
        state=placement.state,
        progress=placement.progress[:200],
        problem=placement.problem,
        run=0 if run is None else run.number,
        age_ms=max(0, boot_ms - run.started_ms) if run is not None and same_boot else None,
        ssh_port=placement.port if shown else None,
        ssh_host_key=placement.host_key if shown else None,
        exit_code=placement.exit_code,
    )


def fingerprint(placements: Sequence[ObservedPlacement]) -> str:
    """Return a text that changes whenever something else than an age changes."""
    return "\n".join(
        placement.model_dump_json(exclude={"age_ms"})
        for placement in sorted(placements, key=lambda placement: placement.placement_id)
    )
