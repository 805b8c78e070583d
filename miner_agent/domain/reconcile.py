"""This will decide what to do next from what is wanted, journalled and really there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from miner_agent.domain.placement import Placement
from protocol.agent import ObservedState, Want


@dataclass(frozen=True, slots=True)
class Container:
    """A container with this machine's label, as the engine shows it."""

    placement_id: UUID
    running: bool
    #: changes with every start
    token: str
    exit_code: int | None = None
    #: how long this start lasted in ms, where it has ended and the engine knows
    lasted_ms: int | None = None
    #: its first process as the machine numbers it; 0: it does not run
    pid: int = 0
    #: it ended because its memory was used up
    oom_killed: bool = False


class Step(StrEnum):
    #: make what is missing until the container runs
    BRING_UP = "bring_up"
    #: write the rental's authorized keys anew
    REKEY = "rekey"
    #: remove everything the placement has on this machine, then free what it claimed
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Action:
    placement_id: UUID
    step: Step


def reconcile(
    *,
    journal: Mapping[UUID, Placement],
    containers: Mapping[UUID, Container],
    traces: Collection[UUID],
) -> tuple[Action, ...]:
    """Return at most one idempotent action for each placement that is not as it should be.

    ``traces`` are placements that have anything else here: a directory, a disk, a mount.
    """
    found = set(containers) | set(traces)
    actions = []
    for placement_id in sorted(found | set(journal)):
        placement = journal.get(placement_id)
        step = (
            Step.REMOVE
            if placement is None
            else _step(placement, containers.get(placement_id), here=placement_id in found)
        )
        if step is not None:
            actions.append(Action(placement_id, step))
    return tuple(actions)


def _step(placement: Placement, container: Container | None, *, here: bool) -> Step | None:
    if placement.state is ObservedState.GONE:
        return Step.REMOVE if here else None
    if placement.want is Want.END or placement.state is ObservedState.COLLECTING:
        return Step.REMOVE
    if placement.state is not ObservedState.RUNNING or not is_same_run(placement, container):
        return Step.BRING_UP
    return Step.REKEY if placement.authorized_keys != placement.written_keys else None


def is_same_run(placement: Placement, container: Container | None) -> bool:
    """Say whether the container is still in the start that the open run counts."""
    run = placement.run
    if run is None or container is None:
        return False
    return container.running and run.open and run.token == container.token
