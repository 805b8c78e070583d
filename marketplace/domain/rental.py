"""This will say in a renter's words how a rental is doing."""

from datetime import datetime
from enum import StrEnum

from marketplace.domain.placement import ENDED, PlacementState


class RentalState(StrEnum):
    #: others were outbid and make room for it, within some 90 seconds: free of charge
    WAITING = "waiting"
    QUEUED = "queued"
    PREPARING = "preparing"
    #: the container runs, its SSH door was not seen yet: free of charge
    STARTING = "starting"
    #: the SSH door was seen from outside: seconds cost money
    ACTIVE = "active"
    #: asked to stop and to keep its files, or a start that came to nothing: free of charge
    STOPPING = "stopping"
    #: its files wait for a start, until its lease ends: free of charge
    STOPPED = "stopped"
    #: asked to end, or ended and not settled yet: its cost may still rise to what was proven
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


LIVE = frozenset(
    {
        RentalState.WAITING,
        RentalState.QUEUED,
        RentalState.PREPARING,
        RentalState.STARTING,
        RentalState.ACTIVE,
        RentalState.STOPPING,
        RentalState.STOPPED,
        RentalState.ENDING,
    }
)

_STATE = {
    PlacementState.WAITING: RentalState.WAITING,
    PlacementState.OFFERED: RentalState.QUEUED,
    PlacementState.ACCEPTED: RentalState.PREPARING,
    PlacementState.PREPARING: RentalState.PREPARING,
    PlacementState.STOPPING: RentalState.STOPPING,
    PlacementState.STOPPED: RentalState.STOPPED,
    PlacementState.COLLECTING: RentalState.ENDING,
    PlacementState.RELEASED: RentalState.ENDED,
    PlacementState.REFUSED: RentalState.FAILED,
    PlacementState.FAILED: RentalState.FAILED,
}


def placed(state: RentalState) -> frozenset[PlacementState]:
    """Return the states of a placement that mean this one; of those that run both that do."""
    if state in (RentalState.STARTING, RentalState.ACTIVE):
        return frozenset({PlacementState.RUNNING})
    return frozenset(of for of, told in _STATE.items() if told is state)


def state_of(
    state: PlacementState,
    *,
    reachable_at: datetime | None,
    settled: bool,
) -> RentalState:
    """Return the rental's state for its placement's.

    ``settled``: the last charge is posted. A rental ends only then, so that nobody who waits for
    the end reads a cost that is not the last one.
    """
    if state in ENDED and not settled:
        return RentalState.ENDING
    if state == PlacementState.RUNNING:
        return RentalState.STARTING if reachable_at is None else RentalState.ACTIVE
    return _STATE[state]
