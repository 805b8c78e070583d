"""This will say how a rental's proof goes on, and how many there may be."""

from datetime import timedelta
from enum import StrEnum

#: until a validator takes it, and from there until it has ended
TAKEN_WITHIN, LASTS = timedelta(minutes=3), timedelta(minutes=5)
#: of one rental within an hour
AN_HOUR = 6
#: characters of one side, in all of a proof
CHARACTERS_MOST = 8 << 20


class ProofState(StrEnum):
    """How a proof stands; the last three are its ends."""

    ASKED = "asked"
    RUNNING = "running"
    PASSED = "passed"
    #: an answer was not what the demanded work gives
    FAILED = "failed"
    #: nobody took it, or somebody gave up: that says nothing
    UNFINISHED = "unfinished"
