"""This will read environment variables as people write them, one a line."""

import re
from typing import Any

from django import forms

from marketplace.pages.forms.lines import LinesField

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
VALUE_LENGTH_MAX = 8192
VARIABLES_MAX = 200
TEXT_LENGTH_MAX = 65_536


class EnvironmentField(LinesField):
    """``NAME=value`` lines; empty lines count for nothing, and the last of two equal names wins."""

    def __init__(self, **options: Any) -> None:
        attributes = {
            "rows": 3,
            "spellcheck": "false",
            "autocomplete": "off",
            "placeholder": "NAME=value",
        }
        widget = forms.Textarea(attrs=attributes)
        super().__init__(widget=widget, max_length=TEXT_LENGTH_MAX, strip=False, **options)

    def clean(self, value: Any) -> dict[str, str]:
        """Return the values by name."""
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        if len(lines) > VARIABLES_MAX:
            raise forms.ValidationError(f"Write at most {VARIABLES_MAX} variables.")
        return dict(_variable(line) for line in lines)


def _variable(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    name = name.strip()
    if not equals or not NAME.fullmatch(name):
        raise forms.ValidationError(f"“{line[:60]}” is not NAME=value.")
    if len(value) > VALUE_LENGTH_MAX:
        raise forms.ValidationError(f"The value of {name} is longer than {VALUE_LENGTH_MAX}.")
    return name, value
