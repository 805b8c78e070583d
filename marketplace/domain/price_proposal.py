"""This will say how a price that a host asks of a running rental is doing."""

from enum import StrEnum


class ProposalState(StrEnum):
    #: its renter did not answer: the old price holds
    OPEN = "open"
    ACCEPTED = "accepted"
    #: the old price holds to the rental's end; it may still be accepted
    DECLINED = "declined"
    #: its host asks for it no longer
    WITHDRAWN = "withdrawn"


#: what may still be accepted, and without which no time is added
WAITING = (ProposalState.OPEN, ProposalState.DECLINED)
