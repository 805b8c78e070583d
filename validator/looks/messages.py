"""This will define what the validator and the processes that look for it say to each other.

One JSON object a line. What such a process says is read as strictly as what a machine says: a
machine may have taken it over.
"""

import json
from typing import Annotated

from pydantic import Field, ValidationError

from protocol.message import Message
from protocol.validator import Target
from validator.domain.json_line import DEPTH_MAX, LineRefused, parse_object
from validator.domain.verdict import Look
from validator.ssh.credential import Credential

#: a look with the facts of 64 GPUs and as many measurements takes about 60 kB
ANSWER_BYTES_MAX = 524_288
#: a detail is a sentence or two; each other text of a look has its own, smaller limit
TEXT_CHARACTERS_MAX = 1_000
#: facts nest as deep as a machine's line may, within what is said of them
ANSWER_DEPTH_MAX = DEPTH_MAX + 3


class AnswerRefused(ValueError):
    """A process said what no honest one says."""


class Order(Message):
    """One look to take, and all that it needs."""

    number: int
    target: Target
    #: good at this machine, for minutes
    credential: Annotated[Credential, Field(repr=False)]
    allow_private: bool
    proof_memory_bytes_max: int
    facts_only: bool


class Passage(Message):
    """The gate at which one look waits has opened, or will not."""

    number: int
    #: why it will not; None: it has
    shut: str | None = None


class Told(Message):
    """One line to a process: exactly one of these."""

    order: Order | None = None
    passage: Passage | None = None


class Ready(Message):
    """The process can look now."""

    #: what holds it: "files" (it sees its own program and nothing else)
    confined: tuple[str, ...] = ()


class Beat(Message):
    """The process's loop turns."""


class Arrived(Message):
    """One look is at its gate."""

    number: int


class Answer(Message):
    """What one look brought back."""

    number: int
    look: Look


class Said(Message):
    """One line of a process: exactly one of these."""

    ready: Ready | None = None
    beat: Beat | None = None
    arrived: Arrived | None = None
    answer: Answer | None = None


def line_of(message: Message) -> bytes:
    """Return the line that says ``message``."""
    return message.model_dump_json(exclude_unset=True).encode() + b"\n"


def read_said(line: bytes) -> Said:
    """Return what a process said.

    :raises AnswerRefused: when it is malformed in any way.
    """
    try:
        content = parse_object(line, bytes_max=ANSWER_BYTES_MAX, characters_max=TEXT_CHARACTERS_MAX)
        said = Said.model_validate_json(json.dumps(content), strict=True)
    except LineRefused as error:
        raise AnswerRefused(str(error)) from error
    except ValidationError as error:
        raise AnswerRefused("The answer has the wrong shape.") from error
    if [said.ready, said.beat, said.arrived, said.answer].count(None) != 3:
        raise AnswerRefused("The answer says not exactly one thing.")
    return said
