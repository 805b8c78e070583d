"""This will ask how much of a log is wanted."""

from django import forms

from protocol.container_log import LINES_MOST

CHOICES = tuple((number, f"{number:,}") for number in (50, 200, LINES_MOST))


class LogForm(forms.Form):
    """How many of the newest lines."""

    lines = forms.TypedChoiceField(label="Newest lines", choices=CHOICES, coerce=int, initial=200)
