"""This will read an answer of the REST API into its shape, or say that it is none."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from berth.problem import CannotReach

ShapeT = TypeVar("ShapeT")


def read(shape: type[ShapeT], content: object) -> ShapeT:
    """Return the content in its shape.

    :raises CannotReach: when it has another one.
    """
    try:
        return TypeAdapter(shape).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise CannotReach(
            f"The marketplace's answer is not what we expect ({where}: {first['msg']}).",
            "unexpected_answer",
        ) from error
