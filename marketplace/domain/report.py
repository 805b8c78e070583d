"""This will turn what a machine reports about a placement into an event of the table."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.placement import (
    DEADLINES,
    ENDED_EARLY,
    LATE_FAULTS,
    LEASE_ENDED,
    Blame,
    Event,
    Fault,
    PlacementState,
    blame_of,
    kept,
)
from protocol.agent import ObservedState

#: from acceptance, however well it goes on; an agent's longest pull is a little shorter
PREPARING_S_MAX = 3600


@dataclass(frozen=True, slots=True)
class Report:
    """What one sync says about one placement."""

    observed: ObservedState
    #: None: no problem
    problem_code: str | None = None
    problem_sentence: str = ""
    #: a job's own process came to an end, as a job's is meant to
    exited: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from a report: an event, and why. An empty code: nothing to explain."""

    event: Event
    blame: Blame | None = None
    code: str = ""
    sentence: str = ""


def preparing_deadline(*, deadline_at: datetime, accepted_at: datetime, now: datetime) -> datetime:
    """Return when a start is late whose progress just changed: a big image takes its time."""
    longest = accepted_at + timedelta(seconds=PREPARING_S_MAX)
    return max(deadline_at, min(now + timedelta(seconds=DEADLINES.preparing_s), longest))


def accepted_deadline(*, deadline_at: datetime, accepted_at: datetime, now: datetime) -> datetime:
    """Return when a start is late whose machine just said that it waits its turn."""
    more = timedelta(seconds=DEADLINES.accepted_s)
    # While half of it is left nothing moves: most reports then cost no write.
    if deadline_at - now > more / 2:
        return deadline_at
    return min(now + more, accepted_at + timedelta(seconds=DEADLINES.preparing_s))


#: how an agent's progress begins while an image comes
PULLING = "pulling"
IMAGE_SLOW = Fault(Blame.RENTER, "image_pull_failed", "The image did not arrive within an hour.")


def late_fault(
    state: PlacementState, *, progress: str, accepted_at: datetime | None, deadline_at: datetime
) -> Fault:
    """Return whose fault it is that ``deadline_at`` passed in a state that is not RUNNING.

    A start has its longest deadline only where its progress changed until short of it: an image
    that came on all that time and is not there was too slow or too big.
    """
    pulls = state is PlacementState.PREPARING and progress.startswith(PULLING)
    longest = timedelta(seconds=PREPARING_S_MAX)
    if pulls and accepted_at is not None and deadline_at >= accepted_at + longest:
        return IMAGE_SLOW
    return LATE_FAULTS[state]


_GOING_ON = {
    ObservedState.ACCEPTED: Event.ACCEPT,
    ObservedState.PREPARING: Event.PREPARE,
    ObservedState.RUNNING: Event.RUN,
    ObservedState.STOPPED: Event.STOPPED,
}
_ENDING = {ObservedState.COLLECTING: Event.COLLECT, ObservedState.GONE: Event.GONE}


def judge(report: Report, *, state: PlacementState, funded_until: datetime, now: datetime) -> Step:
    """Return what follows from the report while the placement is in the live ``state``."""
    if report.observed is ObservedState.STOPPED and report.problem_code is not None:
        return _stopped_unasked(report, state)
    if report.observed in _GOING_ON:
        return Step(_GOING_ON[report.observed])
    event = _ENDING[report.observed]
    # From COLLECTING on, the end is what was asked for or what the machine already explained.
    if state is PlacementState.COLLECTING and report.problem_code in (None, LEASE_ENDED):
        return Step(event)
    if report.exited and report.problem_code is None:
        return Step(event, code="exited", sentence="The job ended by itself.")
    grace = timedelta(seconds=DEADLINES.running_grace_s)
    if now >= funded_until - grace and report.problem_code in (None, LEASE_ENDED):
        return Step(event, code=LEASE_ENDED, sentence="The paid time is over.")
    if report.problem_code is not None:
        return Step(
            Event.FAIL,
            blame=blame_of(report.problem_code),
            code=report.problem_code,
            sentence=report.problem_sentence,
        )
    return Step(
        Event.FAIL, blame=ENDED_EARLY.blame, code=ENDED_EARLY.code, sentence=ENDED_EARLY.sentence
    )


def _stopped_unasked(report: Report, state: PlacementState) -> Step:
    """Return what follows where the machine cannot run what it shall: its files are kept."""
    if state in (PlacementState.STOPPING, PlacementState.WAITING):
        # Of one that waits for its room it is the stop before: nothing was asked of it since.
        return Step(Event.STOPPED)
    sentence = kept(report.problem_sentence)
    return Step(Event.STOP, code=report.problem_code or "", sentence=sentence)
