"""This will say in a renter's words how a job is doing."""

from enum import StrEnum

from marketplace.domain.placement import ENDED, PlacementState


class JobState(StrEnum):
    QUEUED = "queued"
    #: its image and inputs come
    PREPARING = "preparing"
    RUNNING = "running"
    #: its process ended or was asked to; outputs come, or it is not settled yet
    ENDING = "ending"
    #: its process exited; the exit code says how
    DONE = "done"
    #: somebody or something ended it before it exited
    FAILED = "failed"


LIVE = frozenset({JobState.QUEUED, JobState.PREPARING, JobState.RUNNING, JobState.ENDING})

_STATE = {
    PlacementState.WAITING: JobState.QUEUED,
    PlacementState.OFFERED: JobState.QUEUED,
    PlacementState.ACCEPTED: JobState.PREPARING,
    PlacementState.PREPARING: JobState.PREPARING,
    PlacementState.RUNNING: JobState.RUNNING,
}


def state_of(state: PlacementState, *, exited: bool, settled: bool) -> JobState:
    """Return the job's state for its placement's.

    ``settled``: the last charge is posted. A job is over only then, so that nobody who waits for
    the end reads a cost that is not the last one.
    """
    if state in ENDED and settled:
        done = state == PlacementState.RELEASED and exited
        return JobState.DONE if done else JobState.FAILED
    return _STATE.get(state, JobState.ENDING)
