"""This will say what happened to a rental, in words that its renter understands.

Source: the table of states (placement.py), looks from outside (door.py), and its machine's word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from marketplace.domain.placement import Event, PlacementState
from marketplace.domain.problem import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: of what a cursor says, so that no number is too large for a column
_NUMBER_MAX = (1 << 63) - 1
_AT_MAX = datetime.max.replace(tzinfo=UTC)

#: what is written beside the table's events (PlacementEvent.event)
PLACED, SEEN, STUCK = "place", "seen", "stuck"
SHUT, OPEN, INCIDENT = "door_shut", "door_open", "incident"

SENTENCES: Mapping[str, str] = {
    PLACED: "It was rented.",
    Event.ACCEPT: "Its machine accepted it.",
    Event.PREPARE: "Its machine began to prepare it: the image, the disk, the network.",
    Event.RUN: "Its container started.",
    SEEN: "SSH answered from outside: seconds count from here.",
    Event.COLLECT: "Its container ended; its machine cleans up.",
    Event.GONE: "Nothing of it is left on its machine.",
    Event.FAIL: "It failed.",
    Event.END: "Its end was asked for.",
    Event.STOP: "Its stop was asked for.",
    Event.STOPPED: "It stopped. Its files are kept.",
    Event.START: "Its start was asked for, or its room came free.",
    Event.WAIT: "It waits for its room: whoever has it is being outbid.",
    Event.LATE: "It came to no start or end in time.",
    STUCK: "Its machine has not said that nothing of it is left.",
    SHUT: "SSH did not answer from outside any more: nothing is billed.",
    OPEN: "SSH answered from outside again.",
}
#: late here means that what was paid for is over, which is nobody's fault
_OVER = "Its paid time was over."


class Source(IntEnum):
    """Which record says it; of one moment the higher comes first in a list of the newest."""

    PLACEMENT = 0
    DOOR_SHUT = 1
    DOOR_OPEN = 2
    INCIDENT = 3
    REACHED = 4


class MarkInvalid(Refused):
    """The mark was not made by this list."""

    code = "cursor_invalid"
    status = 422
    sentence = "This page address is broken; begin with the newest events again."


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Where an event stands among all of one rental."""

    at: datetime
    source: Source
    number: int

    def encode(self) -> str:
        """Return the mark as it stands in an address."""
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.source.value}-{self.number}"

    @classmethod
    def decode(cls, text: str) -> "Mark":
        """Return the mark that ``encode`` wrote.

        :raises MarkInvalid: when it wrote no such text.
        """
        parts = text.split("-")
        if len(parts) != 3 or not all(_is_number(part) for part in parts):
            raise MarkInvalid
        at_us, source, number = map(int, parts)
        if at_us > (_AT_MAX - _EPOCH) // _MICROSECOND or number > _NUMBER_MAX:
            raise MarkInvalid
        try:
            return cls(_EPOCH + at_us * _MICROSECOND, Source(source), number)
        except ValueError:
            raise MarkInvalid from None


def sentence(event: str, *, old_state: str) -> str:
    """Return what happened, in one sentence."""
    if event == Event.LATE and old_state == PlacementState.RUNNING:
        return _OVER
    return SENTENCES.get(event, "")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19
