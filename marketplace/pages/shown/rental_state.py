"""This will say in words how a rental is doing, and how far it is on its way."""

from dataclasses import dataclass

from marketplace.domain.rental import RentalState

STEPS = (
    (RentalState.QUEUED, "Requested"),
    (RentalState.PREPARING, "Preparing"),
    (RentalState.STARTING, "Opening SSH"),
    (RentalState.ACTIVE, "Ready"),
)
LABELS = {
    RentalState.WAITING: ("Waiting for room", "busy"),
    RentalState.QUEUED: ("Waiting for the machine", "busy"),
    RentalState.PREPARING: ("Preparing", "busy"),
    RentalState.STARTING: ("Opening SSH", "busy"),
    RentalState.ACTIVE: ("Active", "good"),
    RentalState.STOPPING: ("Stopping", "busy"),
    RentalState.STOPPED: ("Stopped", "idle"),
    RentalState.ENDING: ("Ending", "busy"),
    RentalState.ENDED: ("Ended", "idle"),
    RentalState.FAILED: ("Failed", "bad"),
}

STOPPABLE = frozenset(state for state, _ in STEPS) | {RentalState.WAITING}


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    #: done, current or waiting
    status: str


def steps(state: RentalState) -> tuple[Step, ...]:
    """Return how far a rental is on its way to its door; none: it is on no such way."""
    if state not in dict(STEPS):
        return ()
    order = [step for step, _ in STEPS]
    now = order.index(state)
    # The last step is a place to be, not one to pass.
    done = now + 1 if state is RentalState.ACTIVE else now
    return tuple(
        Step(label, "done" if index < done else "current" if index == now else "waiting")
        for index, (_, label) in enumerate(STEPS)
    )
