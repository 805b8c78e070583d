"""This will say when a container's log can be asked for, and what became of the asking."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: a machine that is there answers within a second or two
ANSWER_WITHIN = timedelta(seconds=20)
#: what was sent is deleted so long after it came
KEPT = timedelta(hours=1)
#: of what failed: a machine may still send its last words so long after its end
LAST_WITHIN = timedelta(minutes=10)


class LogState(StrEnum):
    """Where the newest question stands."""

    #: nobody asked of late, and nothing is kept
    NONE = "none"
    #: the machine has not answered yet
    ASKED = "asked"
    #: its newest answer is here
    TAKEN = "taken"
    #: it did not answer in time
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides whether there is anybody to ask."""

    #: its placement has ended
    is_over: bool
    #: its machine has heard of it
    is_told: bool
    is_online: bool
    #: its machine's agent is new enough
    is_able: bool


def obstacle(asked: Asked) -> str:
    """Return why its machine cannot be asked now, in a sentence; empty: it can."""
    if asked.is_over:
        return "It has ended, and its container is gone with its log."
    if not asked.is_told:
        return "It waits for its room, so there is no container yet."
    if not asked.is_online:
        return "Its machine is silent; ask again once it is back."
    if not asked.is_able:
        return "Its machine's agent is too old to send logs; its host has to update it."
    return ""


def state(
    *, asked_at: datetime | None, taken_at: datetime | None, is_open: bool, now: datetime
) -> LogState:
    """Return where the newest question stands; ``is_open``: no answer to it has come."""
    if is_open and asked_at is not None:
        return LogState.ASKED if now - asked_at < ANSWER_WITHIN else LogState.LATE
    return LogState.NONE if taken_at is None else LogState.TAKEN


def sentence(now: LogState, *, has_container: bool, lines: int, obstacle: str) -> str:
    """Return what there is to say beside the lines; empty: the lines say it all."""
    if now is LogState.ASKED and not obstacle:
        return "Asked; its machine answers within seconds."
    if now is LogState.LATE and not obstacle:
        seconds = ANSWER_WITHIN // timedelta(seconds=1)
        return f"Its machine did not answer within {seconds} s; ask again."
    if now is LogState.TAKEN and lines:
        return ""
    if obstacle:
        return obstacle
    if now is LogState.NONE:
        return ""
    if not has_container:
        return "There is no container yet, or none any more, so nothing was said."
    return "It has said nothing."
