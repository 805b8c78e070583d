"""A program's ``true`` is no number, a text is none either, and a number is no yes."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from ninja import Field
from pydantic import BaseModel, ValidationError

from marketplace.api import api
from marketplace.json_body import JsonBody


class Of(BaseModel):
    """A shape of another package."""

    cpus: int
    fast: bool = False


class Inner(JsonBody):
    size: int


class Told(JsonBody):
    whole: Annotated[int, Field(ge=0)] | None = None
    share: float = 0.5
    yes: bool | None = None
    words: str = ""
    ports: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=9)] = Field(
        default_factory=list
    )
    inner: list[Inner] | None = None
    of: Of | None = None
    by_name: dict[str, int] = Field(default_factory=dict)


@pytest.mark.parametrize(
    "told",
    [
        {"whole": False},
        {"whole": "5"},
        {"share": True},
        {"share": "0.5"},
        {"yes": 0},
        {"yes": 1.0},
        {"yes": "yes"},
        {"words": True},
        {"ports": [80, True]},
        {"ports": ["80"]},
        {"inner": [{"size": True}]},
        {"of": {"cpus": True}},
        {"of": {"cpus": 1, "fast": 1}},
        {"by_name": {"a": False}},
    ],
)
def test_what_means_something_else_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Told.model_validate(told)


def test_what_it_says_is_taken() -> None:
    told = {
        "whole": 5.0,
        "share": 1,
        "yes": False,
        "words": "5",
        "ports": [80],
        "inner": [{"size": 0}],
        "of": {"cpus": 2, "fast": True},
        "by_name": {"a": 0},
    }
    seen = Told.model_validate(told)
    assert (seen.whole, seen.share, seen.yes, seen.ports) == (5, 1.0, False, [80])
    assert Told.model_validate({"whole": None, "yes": None, "inner": None}).inner is None
    with pytest.raises(ValidationError, match="whole\n  Input should not be true or false"):
        Told.model_validate({"whole": True})


def bodies() -> Iterator[tuple[str, type[Any]]]:
    """Yield the shape of each body that the API takes, with where it is taken."""
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for model in operation.models:
                    if model.__ninja_param_source__ == "body":
                        for field in model.model_fields.values():
                            yield f"{operation.methods} {prefix}{path}", field.annotation


def test_every_body_of_the_api_is_read_so() -> None:
    shapes = [
        (where, shape)
        for where, shape in bodies()
        # What agents and validators sign has its own rules, in protocol.
        if not shape.__module__.startswith("protocol.")
    ]
    assert len(shapes) > 20
    assert [where for where, shape in shapes if not issubclass(shape, JsonBody)] == []
