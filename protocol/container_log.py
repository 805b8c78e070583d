"""This will define how the end of what a container said is asked of its machine, and sent."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from protocol.message import Message

#: of one answer: lines, and characters of all of them together and of each
LINES_MOST, CHARACTERS_MOST, LINE_CHARACTERS_MOST = 1000, 64 << 10, 8 << 10
#: of what is sent without being asked, when a container goes that failed
LAST_LINES_MOST, LAST_CHARACTERS_MOST = 200, 8 << 10
#: the first version of the agent that answers; an older one is never asked
ANSWERS_SINCE = (0, 2)
#: what colours a terminal, moves its cursor or names its window: each takes time in proportion to
#: its length, whatever is in it. Source: ECMA-48, 5th edition, sections 5.3 to 5.6
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
)


class Stream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


class LogLine(Message):
    """One line, as it was said: it may hold whatever steers a terminal."""

    #: when the machine's Docker took it, in UTC and nanoseconds; later ones compare as greater
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")]
    stream: Stream
    text: Annotated[str, Field(max_length=LINE_CHARACTERS_MOST, pattern=r"^[^\x00\n]*$")]


class LogAsked(Message):
    """What a machine is asked for in the reply to a sync, until it has answered."""

    placement_id: UUID
    #: a new one each time; named by the answer
    asked_id: UUID
    lines_most: Annotated[int, Field(ge=1, le=LINES_MOST)]


class LogReport(Message):
    """The end of what a container said, the oldest line first. Signed by the machine."""

    version: Literal[1] = 1
    #: None: nobody asked; the container failed and is being removed
    asked_id: UUID | None = None
    #: False: there is no container now, so nothing was said
    has_container: bool = True
    lines: Annotated[tuple[LogLine, ...], Field(max_length=LINES_MOST)] = ()
    #: it said more before the first of the lines
    is_cut: bool = False

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if sum(len(line.text) for line in self.lines) > CHARACTERS_MOST:
            raise ValueError(f"A log's end is at most {CHARACTERS_MOST} characters.")
        return self


def plain(text: str) -> str:
    """Return a line's text without what steers a terminal, for people's eyes.

    A tab stays. Other letters that cannot be seen, such as those that turn the direction of a text
    around, become blanks.
    """
    text = ESCAPES.sub("", text)
    return "".join(one if one.isprintable() or one == "\t" else " " for one in text)


def answers(version: str) -> bool:
    """Say whether an agent of this version sends logs; what is no version does not."""
    parts = version.split(".")[: len(ANSWERS_SINCE)]
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        return False
    return tuple(map(int, parts)) >= ANSWERS_SINCE
