"""This will decide what to do next from what is wanted, journalled and really there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from miner_agent.domain.generation import Generation
from miner_agent.domain.placement import Placement, is_as_desired
from protocol.agent import ObservedState, Want
from protocol.workload import PlacementKind


@dataclass(frozen=True, slots=True)
class Container:
    """A container with this machine's label, as the engine shows it."""

    placement_id: UUID
    running: bool
    #: changes with every start; empty: it was never started
    token: str
    #: the number of its generation; None: it says none
    generation: int | None = 0
    exit_code: int | None = None
    #: how long this start lasted in ms, where it has ended and the engine knows
    lasted_ms: int | None = None
    #: its first process as the machine numbers it; 0: it does not run
    pid: int = 0
    #: it ended because its memory was used up
    oom_killed: bool = False


class Step(StrEnum):
    #: find the image of what is to run next, while what ran before goes on
    FETCH = "fetch"
    #: put what is to run in the place of what ran before, if anything did
    CHANGE = "change"
    #: start what ran before once more
    BRING_UP = "bring_up"
    #: write the rental's authorized keys anew
    REKEY = "rekey"
    #: tell what runs inside that it stops soon, or that it does not
    NOTIFY = "notify"
    #: end its container for the next start
    RESTART = "restart"
    #: end its container and give back what running takes; files and ports stay
    STOP = "stop"
    #: take what a job that has ended leaves behind
    FINISH = "finish"
    #: remove containers and disks that are neither current nor coming
    TIDY = "tidy"
    #: remove everything the placement has on this machine, then free what it claimed
    REMOVE = "remove"


#: what ends in something that runs
STARTS = (Step.FETCH, Step.CHANGE, Step.BRING_UP)


@dataclass(frozen=True, slots=True)
class Action:
    placement_id: UUID
    step: Step
    #: it may be done while another action of the same placement is
    beside: bool = False


def reconcile(
    *,
    journal: Mapping[UUID, Placement],
    containers: Collection[Container],
    traces: Mapping[UUID, Collection[int]],
) -> tuple[Action, ...]:
    """Return idempotent actions for each placement that is not as it should be.

    There is at most one for each, and beside it a fetch. ``traces`` are placements that have
    anything else here, a directory or a mount, with the numbers of their disks.
    """
    found: dict[UUID, list[Container]] = {placement_id: [] for placement_id in traces}
    for container in containers:
        found.setdefault(container.placement_id, []).append(container)
    actions: list[Action] = []
    for placement_id in sorted(set(found) | set(journal)):
        placement = journal.get(placement_id)
        if placement is None:
            actions.append(Action(placement_id, Step.REMOVE))
            continue
        mine, disks = found.get(placement_id, []), traces.get(placement_id, ())
        here = placement_id in found
        step = _step(placement, mine, disks, here=here)
        if step is not None:
            actions.append(Action(placement_id, step))
        if step is not Step.FETCH and _lacks_image(placement):
            actions.append(Action(placement_id, Step.FETCH, beside=True))
    return tuple(actions)


def current_container(placement: Placement, containers: Collection[Container]) -> Container | None:
    """Return the container of what ran last, None where it is not here."""
    return container_of(placement, placement.current, containers)


def container_of(
    placement: Placement, generation: Generation | None, containers: Collection[Container]
) -> Container | None:
    """Return the container that was made as this generation, None where it is not here."""
    wanted = (placement.placement_id, generation.number if generation else None)
    same = (one for one in containers if (one.placement_id, one.generation) == wanted)
    return next(same, None) if generation is not None else None


def is_same_run(placement: Placement, container: Container | None) -> bool:
    """Say whether the container is still in the start that the open run counts."""
    run = placement.run
    if run is None or container is None:
        return False
    return container.running and run.open and run.token == container.token


def _step(
    placement: Placement, mine: Sequence[Container], disks: Collection[int], *, here: bool
) -> Step | None:
    if placement.state is ObservedState.GONE:
        return Step.REMOVE if here else None
    if placement.want is Want.END:
        return Step.REMOVE
    container = current_container(placement, mine)
    is_job = placement.kind is PlacementKind.JOB
    if placement.state is ObservedState.COLLECTING:
        return Step.FINISH if is_job else Step.REMOVE
    if is_job and placement.run is not None and not is_same_run(placement, container):
        return Step.FINISH
    if not placement.may_run:
        # What is to run and has no room waits for it: it is claimed at the next reply.
        return _stop_step(placement, mine, disks)
    if _has_strays(placement, mine, disks):
        return Step.TIDY
    if placement.restarted < placement.restarts and not is_job:
        return Step.RESTART
    if is_as_desired(placement, placement.coming):
        return Step.CHANGE
    if placement.current is None:
        return Step.FETCH
    return _run_step(placement, container)


def _run_step(placement: Placement, container: Container | None) -> Step | None:
    """Return what keeps what ran before going, whatever is to come after it."""
    current = placement.current
    if current is None or not current.cores:
        return None
    if placement.state is not ObservedState.RUNNING or not is_same_run(placement, container):
        return Step.BRING_UP
    if placement.authorized_keys != placement.written_keys:
        return Step.REKEY
    return Step.NOTIFY if placement.notice != placement.written_notice else None


def _stop_step(
    placement: Placement, mine: Sequence[Container], disks: Collection[int]
) -> Step | None:
    runs = any(one.running for one in mine)
    is_stopped = placement.state is ObservedState.STOPPED and not placement.has_room
    if runs or not is_stopped or placement.coming is not None:
        return Step.STOP
    return Step.TIDY if _has_strays(placement, mine, disks) else None


def _lacks_image(placement: Placement) -> bool:
    """Say whether a change waits for its image while what ran before goes on."""
    wanted = placement.may_run and placement.current is not None
    ended = placement.state in (ObservedState.COLLECTING, ObservedState.GONE)
    return (
        wanted
        and not ended
        and not is_as_desired(placement, placement.current)
        and not is_as_desired(placement, placement.coming)
    )


def _has_strays(placement: Placement, mine: Sequence[Container], disks: Collection[int]) -> bool:
    kept = [part for part in (placement.current, placement.coming) if part is not None]
    numbers = {part.number for part in kept}
    kept_disks = {part.disk for part in kept}
    return any(one.generation not in numbers for one in mine) or bool(set(disks) - kept_disks)
