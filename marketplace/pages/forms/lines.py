"""This will read text of several lines with the line ends that programs know."""

from typing import Any

from django import forms


class LinesField(forms.CharField):
    """A browser shows a line end as one character, counts it so, and sends two."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        """Return it as it was counted, before its length is checked."""
        return str(super().to_python(value)).replace("\r\n", "\n").replace("\r", "\n")
