"""This will answer demands, one JSON object a line: what every kind of demand shares."""

import json
from collections.abc import Callable, Iterable, Mapping
from ctypes import ArgumentError
from dataclasses import dataclass
from typing import Any, TextIO

LINE_CHARACTERS_MOST = 1 << 20

Request = dict[str, Any]
Answer = dict[str, Any]
#: answers at once, or one line after the other as parts of it are done
Demand = Callable[[Request], Answer | Iterable[Answer]]


class BadRequest(Exception):
    """The validator asked for something that cannot be done here."""


#: every way in which a request can be wrong, or a machine unable
REFUSED = (
    *(BadRequest, ValueError, LookupError, TypeError, AttributeError),
    *(OSError, MemoryError, ArgumentError),
)


@dataclass
class Session:
    """What all demands of one validator share."""

    #: the validator's random word for this session and machine; every seed depends on it
    bind: bytes = b""


def serve(demands: Mapping[str, Demand], reading: TextIO, writing: TextIO) -> None:
    """Answer each line until "bye" or the end of input."""
    while line := reading.readline(LINE_CHARACTERS_MOST):
        try:
            request = json.loads(line)
            if request.get("op") == "bye":
                break
            for answer in _answers(demands, request):
                _say(writing, {"op": request["op"], **answer})
        except REFUSED as error:
            message = f"{type(error).__name__}: {error}"[:300]
            _say(writing, {"op": "error", "message": message})


def _answers(demands: Mapping[str, Demand], request: Request) -> Iterable[Answer]:
    demand = demands.get(str(request.get("op")))
    if demand is None:
        raise BadRequest("This operation is not known.")
    answers = demand(request)
    return [answers] if isinstance(answers, dict) else answers


def _say(writing: TextIO, answer: Answer) -> None:
    writing.write(json.dumps(answer, separators=(",", ":")) + "\n")
    writing.flush()


def natural(request: Request, name: str, most: int) -> int:
    """Return the request's whole number ``name``.

    :raises BadRequest: when it is not from 1 to ``most``.
    """
    value = request.get(name)
    if not isinstance(value, int) or not 1 <= value <= most:
        raise BadRequest(f"{name} must be from 1 to {most}.")
    return value
