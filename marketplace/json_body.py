"""This will take what a program sends for what it is: no ``true`` for 1, no ``"5"`` for 5.

Pydantic reads these as numbers by itself, as forms send texts. A program that sends ``false`` for a
price means something else than 0, and is told so. Whole numbers may be written as ``5.0``, as JSON
knows one kind of number.
"""

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from ninja import Schema
from pydantic import BaseModel, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

#: what no text stands for
_PLAIN = frozenset({bool, int, float, NoneType})


class JsonBody(Schema):
    """What every shape of a request's body begins with."""

    @field_validator("*", mode="before")
    @classmethod
    def _as_it_is(cls, value: object, info: ValidationInfo) -> object:
        _check(cls.model_fields[str(info.field_name)].annotation, value)
        return value


def _check(annotation: object, value: object) -> None:
    kinds = frozenset(_kinds(annotation))
    if isinstance(value, bool):
        if not kinds & {bool, Any}:
            raise PydanticCustomError("not_a_flag", "Input should not be true or false")
    elif isinstance(value, str | int | float):
        if kinds <= {bool, NoneType}:
            raise PydanticCustomError("flag", "Input should be true or false")
        if isinstance(value, str) and kinds <= _PLAIN:
            raise PydanticCustomError("number", "Input should be a number, not a text")
    elif isinstance(value, list | tuple):
        for kind in kinds:
            if get_origin(kind) in {list, tuple}:
                for each in value:
                    _check(get_args(kind)[0], each)
    elif isinstance(value, Mapping):
        for kind in kinds:
            _check_inside(kind, value)


def _check_inside(kind: object, value: Mapping[Any, object]) -> None:
    if get_origin(kind) is dict:
        for each in value.values():
            _check(get_args(kind)[1], each)
    # One of these does it by itself, and names the field.
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, JsonBody):
        for name, field in kind.model_fields.items():
            _check(field.annotation, value.get(name))


def _kinds(annotation: object) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for one in get_args(annotation):
            yield from _kinds(one)
    else:
        yield annotation
