"""This will read the marketplace's reply so that what is wrong in it harms nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from protocol.agent import DESIRED_MOST, DesiredPlacement, Problem, PublicKeyLine, SyncReply, Want
from protocol.container_log import LogAsked
from protocol.message import Message
from protocol.workload import DesiredVolume

MALFORMED = "workload_malformed"
T = TypeVar("T")
_ID = TypeAdapter(UUID)
_KEY: TypeAdapter[str] = TypeAdapter(PublicKeyLine)
_LOG: TypeAdapter[LogAsked] = TypeAdapter(LogAsked)


class ReplyMalformed(Exception):
    """Nothing of the reply can be used."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """An item of which no more can be read than whose it is."""

    #: of the placement or the volume
    id: UUID
    problem: Problem
    #: it says, whatever else it says, that the placement shall end
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply without the items that cannot be read, and those."""

    reply: SyncReply
    placements: tuple[Malformed, ...] = ()
    volumes: tuple[Malformed, ...] = ()
    #: placements that do not even say which they are
    nameless: int = 0


def read(body: bytes) -> Heard:
    """Return what the reply says; an item that is wrong is set aside alone.

    :raises ReplyMalformed: when it is no reply: no JSON, too deep, too long a list, a wrong field.
    """
    try:
        content = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise ReplyMalformed("The marketplace's answer is no JSON.") from error
    if not isinstance(content, dict):
        raise ReplyMalformed("The marketplace's answer is no object.")
    placements = _items(DesiredPlacement, "placement_id", _list(content, "desired"))
    volumes = _items(DesiredVolume, "volume_id", _list(content, "volumes"))
    told = {
        "desired": placements.good,
        "volumes": volumes.good,
        # Whose key it is nobody can say, so nobody is told: it opens nothing. Whoever asked for a
        # log that cannot be told hears that this machine did not answer.
        "validators": _readable(_KEY, _list(content, "validators")),
        "gateways": _readable(_KEY, _list(content, "gateways")),
        "logs": _readable(_LOG, _list(content, "logs")),
    }
    try:
        reply = SyncReply.model_validate({**content, **told})
    except ValidationError as error:
        raise ReplyMalformed(
            f"The marketplace's answer cannot be read: {_reason(error)}"
        ) from error
    return Heard(
        reply=reply,
        placements=placements.malformed,
        volumes=volumes.malformed,
        nameless=placements.nameless,
    )


@dataclass(frozen=True, slots=True)
class _Items:
    """One list of the reply, sorted into what can be read and what cannot."""

    good: tuple[Message, ...]
    malformed: tuple[Malformed, ...]
    nameless: int


def _items(kind: type[Message], named: str, items: Sequence[Any]) -> _Items:
    ids = [_id(item, named) for item in items]
    times = Counter(ids)
    good: list[Message] = []
    malformed: dict[UUID, Malformed] = {}
    for item_id, item in zip(ids, items, strict=True):
        if item_id is None:
            continue
        ends = item.get("want") == Want.END
        if times[item_id] > 1:
            # Whatever it means, one of the two is wrong, and nobody can say which.
            ends = False
            said = _problem("The marketplace named it more than once in one reply.")
        else:
            try:
                good.append(kind.model_validate(item))
            except ValidationError as error:
                said = _problem(f"This machine cannot read it: {_reason(error)}")
            else:
                continue
        malformed[item_id] = Malformed(item_id, said, ends)
    return _Items(tuple(good), tuple(malformed.values()), times[None])


def _problem(sentence: str) -> Problem:
    return Problem(code=MALFORMED, message=sentence)


def _id(item: object, named: str) -> UUID | None:
    if not isinstance(item, Mapping):
        return None
    try:
        return _ID.validate_python(item.get(named))
    except ValidationError:
        return None


def _list(content: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return one list of the reply.

    :raises ReplyMalformed: when it is none, or longer than any machine can serve.
    """
    items = content.get(name, [])
    if not isinstance(items, list) or len(items) > DESIRED_MOST:
        raise ReplyMalformed(f"The marketplace's list {name!r} is none, or too long.")
    return items


def _readable(kind: TypeAdapter[T], items: Sequence[Any]) -> tuple[T, ...]:
    good = []
    for item in items:
        try:
            good.append(kind.validate_python(item))
        except ValidationError:
            continue
    return tuple(good)


def _reason(error: ValidationError) -> str:
    """Return where and why, in one sentence that quotes no value: it may be a password."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part)[:60] for part in first["loc"][:6])
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {said}." if where else f"{said}."
