"""This will define the one base of every message and its canonical bytes."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

VERSION = 1


class Message(BaseModel):
    """A message between two programs: frozen, and an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64")


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
