"""This will define the one base of every message and its canonical bytes."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

VERSION = 1
#: what a 32-bit column of a database holds
Counter = Annotated[int, Field(ge=0, le=(1 << 31) - 1)]
#: an age, or a time since 1970: up to 139 years, so that no date runs over when it is added to one
Milliseconds = Annotated[int, Field(ge=0, le=1 << 42)]

#: patterns: one line that a log, a terminal or a shell shows as it is; what a program can be given
NO_CONTROL, NO_NUL = r"^[^\x00-\x1f\x7f]*$", r"^[^\x00]*$"


class Message(BaseModel):
    """A message between two programs: frozen, and an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64")


def shown(*, most: int) -> BeforeValidator:
    """Return what makes a text fit to be shown: cut, and a blank for what cannot be printed.

    Such texts quote what came from outside, and what they tell of must not get lost with them.
    """

    def cut(text: object) -> object:
        if not isinstance(text, str):
            return text
        if text.isprintable():
            return text[:most]
        return "".join(one if one.isprintable() else " " for one in text[:most])

    return BeforeValidator(cut)


def each_once(name: str) -> AfterValidator:
    """Return what refuses a list that names the same thing, by its field ``name``, twice."""

    def check(items: tuple[Message, ...]) -> tuple[Message, ...]:
        if len({getattr(item, name) for item in items}) < len(items):
            raise ValueError(f"Name each {name} once.")
        return items

    return AfterValidator(check)


def holds_nul(body: bytes) -> bool:
    """Say whether a JSON text may spell a NUL character, which no text column of PostgreSQL takes.

    It also finds a backslash before the letters ``u0000``, which nobody has a reason to send. Every
    JSON in UTF-16 or UTF-32, which a parser would read as well, holds a zero byte.
    """
    return b"\0" in body or b"\\u0000" in body


class FloatRefused(ValueError):
    """A float has no single spelling in bytes, so it may not be signed."""


def canonical_bytes(message: Message | Mapping[str, object]) -> bytes:
    """Return the one byte string that stands for this message: sorted keys, no spaces, UTF-8.

    :raises FloatRefused: when a value is a float; send integers in a small unit instead.
    """
    content = message.model_dump(mode="json") if isinstance(message, Message) else dict(message)
    _refuse_floats(content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise FloatRefused("A signed message may hold no float; use an integer in a smaller unit.")
    if isinstance(value, dict):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_floats(inner)
