"""This will hold the whole life of a placement: its states, what moves it, and its deadlines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class PlacementState(StrEnum):
    #: its room is promised to it, and whoever has it is being outbid; its machine knows nothing
    #: of it yet, or only that it is stopped
    WAITING = "waiting"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    RUNNING = "running"
    #: asked to end its container and to keep its files; the machine has not said that it did
    STOPPING = "stopping"
    #: only its disk, its ports and its volumes are held; the rest is free for others
    STOPPED = "stopped"
    COLLECTING = "collecting"
    RELEASED = "released"
    REFUSED = "refused"
    FAILED = "failed"


class Blame(StrEnum):
    """Who is at fault for a bad end. It moves no money: proven seconds cost, and nothing else does.

    Decided in docs/decisions/0009-proof-decides-money.md, also why the platform is never to blame.
    """

    RENTER = "renter"
    MACHINE = "machine"


class Event(StrEnum):
    """What can happen to a placement."""

    ACCEPT = "accept"
    PREPARE = "prepare"
    RUN = "run"
    #: the machine ended it without a problem and is cleaning up
    COLLECT = "collect"
    #: nothing of it is left on the machine
    GONE = "gone"
    #: the machine names a problem
    FAIL = "fail"
    #: somebody asked for its end, or its funded time is over
    END = "end"
    #: somebody asked it to stop and to keep its files
    STOP = "stop"
    #: the machine says that it did
    STOPPED = "stopped"
    #: somebody asked for a stopped one to run again, or one that waited has its room
    START = "start"
    #: somebody asked for a stopped one to run again, which others have to make room for
    WAIT = "wait"
    #: its deadline passed
    LATE = "late"


S = PlacementState
LIVE = (
    *(S.WAITING, S.OFFERED, S.ACCEPTED, S.PREPARING),
    *(S.RUNNING, S.STOPPING, S.STOPPED, S.COLLECTING),
)
ENDED = (S.RELEASED, S.REFUSED, S.FAILED)
#: nothing but the end of its funded time ends it by itself
FUNDED = (S.RUNNING, S.STOPPING, S.STOPPED)
#: it runs or is about to, and may be outbid
RUNS = (S.OFFERED, S.ACCEPTED, S.PREPARING, S.RUNNING)
#: it may wait for its bid to win
STOPS = (S.STOPPING, S.STOPPED)

#: An agent may be seen late, so a report may skip states; it may never go back. Only START does,
#: after the machine said that nothing of it runs.
TABLE: Mapping[tuple[PlacementState, Event], PlacementState] = {
    (S.WAITING, Event.START): S.OFFERED,
    # Nothing of it runs, so there is nothing to wait for.
    (S.WAITING, Event.STOP): S.STOPPED,
    (S.WAITING, Event.COLLECT): S.COLLECTING,
    (S.WAITING, Event.GONE): S.RELEASED,
    (S.WAITING, Event.FAIL): S.FAILED,
    (S.WAITING, Event.END): S.COLLECTING,
    (S.WAITING, Event.LATE): S.FAILED,
    (S.OFFERED, Event.ACCEPT): S.ACCEPTED,
    (S.OFFERED, Event.PREPARE): S.PREPARING,
    (S.OFFERED, Event.RUN): S.RUNNING,
    (S.OFFERED, Event.COLLECT): S.COLLECTING,
    (S.OFFERED, Event.GONE): S.RELEASED,
    (S.OFFERED, Event.FAIL): S.REFUSED,
    (S.OFFERED, Event.END): S.COLLECTING,
    (S.OFFERED, Event.STOP): S.STOPPING,
    (S.OFFERED, Event.LATE): S.FAILED,
    (S.ACCEPTED, Event.PREPARE): S.PREPARING,
    (S.ACCEPTED, Event.RUN): S.RUNNING,
    (S.ACCEPTED, Event.COLLECT): S.COLLECTING,
    (S.ACCEPTED, Event.GONE): S.RELEASED,
    (S.ACCEPTED, Event.FAIL): S.FAILED,
    (S.ACCEPTED, Event.END): S.COLLECTING,
    (S.ACCEPTED, Event.STOP): S.STOPPING,
    (S.ACCEPTED, Event.LATE): S.FAILED,
    (S.PREPARING, Event.RUN): S.RUNNING,
    (S.PREPARING, Event.COLLECT): S.COLLECTING,
    (S.PREPARING, Event.GONE): S.RELEASED,
    (S.PREPARING, Event.FAIL): S.FAILED,
    (S.PREPARING, Event.END): S.COLLECTING,
    (S.PREPARING, Event.STOP): S.STOPPING,
    (S.PREPARING, Event.LATE): S.FAILED,
    (S.RUNNING, Event.COLLECT): S.COLLECTING,
    (S.RUNNING, Event.GONE): S.RELEASED,
    (S.RUNNING, Event.FAIL): S.FAILED,
    (S.RUNNING, Event.END): S.COLLECTING,
    (S.RUNNING, Event.STOP): S.STOPPING,
    # Late here means that the funded time is over, which is nobody's fault.
    (S.RUNNING, Event.LATE): S.COLLECTING,
    (S.STOPPING, Event.STOPPED): S.STOPPED,
    (S.STOPPING, Event.COLLECT): S.COLLECTING,
    (S.STOPPING, Event.GONE): S.RELEASED,
    (S.STOPPING, Event.FAIL): S.FAILED,
    (S.STOPPING, Event.END): S.COLLECTING,
    (S.STOPPING, Event.LATE): S.COLLECTING,
    (S.STOPPED, Event.START): S.OFFERED,
    (S.STOPPED, Event.WAIT): S.WAITING,
    (S.STOPPED, Event.COLLECT): S.COLLECTING,
    (S.STOPPED, Event.GONE): S.RELEASED,
    (S.STOPPED, Event.FAIL): S.FAILED,
    (S.STOPPED, Event.END): S.COLLECTING,
    (S.STOPPED, Event.LATE): S.COLLECTING,
    (S.COLLECTING, Event.GONE): S.RELEASED,
    (S.COLLECTING, Event.FAIL): S.FAILED,
    (S.COLLECTING, Event.LATE): S.FAILED,
}


class NoTransition(Exception):
    """The table has no row for this state and event: a repeated, stale or forbidden event."""


def advance(state: PlacementState, event: Event) -> PlacementState:
    """Return the state that follows.

    :raises NoTransition: when nothing may follow.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise NoTransition(f"A placement that is {state} does not move by {event}.") from None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a placement may stay in each live state, in seconds."""

    #: from its promise until whoever was outbid has had their notice and has stopped
    waiting_s: int = 180
    offered_s: int = 60
    accepted_s: int = 60
    preparing_s: int = 900
    #: from running until its SSH door was seen from outside
    door_s: int = 300
    #: beyond the funded time
    running_grace_s: int = 120
    collecting_s: int = 300
    #: from the end of a job's process until all that it left is stored
    outputs_s: int = 3600
    #: what a silent machine held is offered again after this
    quarantine_s: int = 3600


DEADLINES = Deadlines()


def deadline(
    state: PlacementState,
    *,
    now: datetime,
    funded_until: datetime,
    awaits_door: bool = False,
    deadlines: Deadlines = DEADLINES,
) -> datetime | None:
    """Return when a placement that enters ``state`` now is late; None: it ended.

    ``awaits_door``: it has an SSH door that nobody saw from outside yet.
    """
    if state in FUNDED:
        funded = funded_until + timedelta(seconds=deadlines.running_grace_s)
        waits = awaits_door and state == S.RUNNING
        return min(funded, now + timedelta(seconds=deadlines.door_s)) if waits else funded
    seconds = {
        S.WAITING: deadlines.waiting_s,
        S.OFFERED: deadlines.offered_s,
        S.ACCEPTED: deadlines.accepted_s,
        S.PREPARING: deadlines.preparing_s,
        S.COLLECTING: deadlines.collecting_s,
    }.get(state)
    return None if seconds is None else now + timedelta(seconds=seconds)


#: problems that the renter's own choice caused
RENTER_PROBLEMS = frozenset(
    {
        *("image_unknown", "image_pull_failed", "image_platform", "command_unknown"),
        *("path_is_link", "outputs_too_many", "outputs_too_large"),
    }
)
#: an ended lease is a plain end when the funded time is over by then, give or take the grace
LEASE_ENDED = "lease_ended"


#: what lies between machine and marketplace, whose silence and whose loss is no machine's fault
NOBODYS_PROBLEMS = frozenset({"input_missing", "outputs_refused"})


def blame_of(problem_code: str) -> Blame | None:
    """Return who is at fault for a problem that a machine reported; None: nobody can tell."""
    if problem_code in NOBODYS_PROBLEMS:
        return None
    return Blame.RENTER if problem_code in RENTER_PROBLEMS else Blame.MACHINE


def kept(reason: str) -> str:
    """Return what its renter reads of a stop that nobody asked for."""
    return f"{reason[: REASON_MOST - len(FILES_KEPT) - 1]} {FILES_KEPT}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a placement ended badly: a stable code and one plain sentence."""

    #: None: nobody can tell
    blame: Blame | None
    code: str
    sentence: str


LATE_FAULTS: Mapping[PlacementState, Fault] = {
    S.WAITING: Fault(None, "room_late", "Whoever was to make room for it did not go in time."),
    S.OFFERED: Fault(Blame.MACHINE, "accept_late", "The machine did not answer in time."),
    S.ACCEPTED: Fault(Blame.MACHINE, "prepare_late", "The machine did not begin in time."),
    S.PREPARING: Fault(Blame.MACHINE, "start_late", "The machine did not start it in time."),
    S.COLLECTING: Fault(Blame.MACHINE, "collect_late", "The machine did not confirm the end."),
}
#: A renter who is root inside shuts the door as well as a host does, and looks can't tell which.
DOOR_LATE = Fault(None, "door_late", "Its SSH door could not be reached from outside in time.")
DOOR_LOST = Fault(None, "door_lost", "Its SSH door could not be reached from outside often enough.")
#: ends and stops that no renter can bring about, whatever runs in the container; a start that fails
#: later on is none of them, as who is root inside can spoil that
HOSTS_DOINGS = frozenset({"host_maintenance", "container_lost", "port_unavailable"})
#: why it stops; its files stay
OUTBID = Fault(None, "outbid", "Others pay more for what it has.")
#: what is said behind the reason of a stop that nobody asked for
FILES_KEPT = "It is stopped and its files are kept; start it again."
REASON_MOST = 1000
ENDED_EARLY = Fault(Blame.MACHINE, "ended_early", "The machine ended it before it was asked to.")
