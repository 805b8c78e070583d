"""This will read the most that an account may spend in a day and in a month."""

from django import forms

from marketplace.pages.forms.amounts import DollarField


class LimitsForm(forms.Form):
    """Two amounts; an empty one is no limit."""

    day = DollarField(label="A day at most, $", required=False)
    month = DollarField(label="A month at most, $", required=False)
