"""This will have a help say by people's words what is typed, and never by Python's types."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperArgument, TyperOption


def reword(command: Any) -> None:
    """Have the help of a command, and of those in it, show ``SIZE`` and no ``<int>``.

    What an option takes stands in its metavar, and a switch takes nothing. Typer has no setting for
    any of it; tests/berth/test_help.py reads every help.
    """
    for one in getattr(command, "commands", {}).values():
        reword(one)
    for parameter in (*command.params, command.get_help_option(typer.Context(command))):
        _reword(parameter)


def _reword(one: Any) -> None:
    said: dict[str, Callable[..., Any]] = {}
    if isinstance(one, TyperArgument):
        said["display_type_rich"] = _nothing
        said["get_usage_pieces"] = lambda _: [_usage(one)]
    elif isinstance(one, TyperOption) and one.is_flag:
        said["display_type_rich"] = _nothing
    elif one.type_descriptor.is_choice and one.metavar is None:
        one.metavar = "|".join(str(choice) for choice in one.type_descriptor.choices)
    ranged = one.max is not None
    said["_get_number_range_help_str"] = (
        (lambda: f"{one.min} to {one.max:,}") if ranged else _nothing
    )
    if isinstance(one.show_default, str):
        said["_get_default_string"] = lambda **_: one.show_default
    # Only this one's: what the classes do is Typer's.
    vars(one).update(said)


def _usage(one: TyperArgument) -> str:
    name = one.display_name_raw
    return name if one.required or name.startswith("[") else f"[{name}]"


def _nothing(*_: Any, **__: Any) -> None:
    return None
