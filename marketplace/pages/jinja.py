"""This will set up Jinja2, which shows what is asked for often, with the filters of the others."""

from typing import Any

from jinja2 import Environment

from marketplace.pages.templatetags.amounts import cents


def environment(**options: Any) -> Environment:
    """Return the environment that the settings ask for."""
    made = Environment(**options)  # noqa: S701 - Django says what is escaped: all
    made.filters["cents"] = cents
    return made
