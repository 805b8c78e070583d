"""This will hold the public states of a machine: which word leads to which, and what each means."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from protocol.validator import VerdictState


class StandingState(StrEnum):
    """What the marketplace says of a machine, from what its validators say."""

    #: nobody's word stands
    NEW = "new"
    VERIFIED = "verified"
    DEGRADED = "degraded"
    SUSPENDED = "suspended"
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a state means to everybody. Rentals that run go on in every state."""

    #: renters may begin rentals
    listed: bool
    #: the machine has points in the epochs
    earns: bool
    #: it ends by itself when validators say otherwise or their words expire
    passes: bool
    #: the host may ask the operator to look at it
    appealable: bool
    #: what it says of the machine
    sentence: str
    #: what the host can do; empty: nothing is to be done
    remedy: str = ""


MEANING: Mapping[StandingState, Meaning] = {
    StandingState.NEW: Meaning(
        listed=False,
        earns=False,
        passes=True,
        appealable=False,
        sentence="No validator's word stands about this machine.",
        remedy="Keep the agent running; validators look at a new machine within minutes.",
    ),
    StandingState.VERIFIED: Meaning(
        listed=True,
        earns=True,
        passes=True,
        appealable=False,
        sentence="Validators vouch that the machine does what it claims.",
    ),
    StandingState.DEGRADED: Meaning(
        listed=False,
        earns=False,
        passes=True,
        appealable=False,
        sentence="The machine is there, but something is missing, slow or silent.",
        remedy="Do what the reasons say; it is looked at again by itself, at first within seconds.",
    ),
    StandingState.SUSPENDED: Meaning(
        listed=False,
        earns=False,
        passes=True,
        appealable=True,
        sentence="What the machine says or does contradicts itself.",
        remedy="Do what the reasons say; the next good look ends it. If they are wrong, appeal.",
    ),
    StandingState.BANNED: Meaning(
        listed=False,
        earns=False,
        passes=False,
        appealable=True,
        sentence="The machine is banned: it failed what validators demanded of it, again and"
        " again, or staff of the site banned it.",
        remedy="Mend what it is banned for, and appeal: only that ends a ban.",
    ),
}

_OF_WORD: Mapping[VerdictState | None, StandingState] = {
    None: StandingState.NEW,
    VerdictState.VERIFIED: StandingState.VERIFIED,
    VerdictState.DEGRADED: StandingState.DEGRADED,
    VerdictState.SUSPENDED: StandingState.SUSPENDED,
    VerdictState.BANNED: StandingState.BANNED,
}


def state_of(word: VerdictState | None, *, banned: bool) -> StandingState:
    """Return the public state that the quorum's ``word`` comes to; None: it has none.

    ``banned``: a ban was spoken and no appeal was granted since, so it stands whatever is said now.
    """
    return StandingState.BANNED if banned else _OF_WORD[word]
