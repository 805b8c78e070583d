"""This will check what somebody calls a rental, and which of their rentals they look for."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q

from marketplace.domain.rental import RentalState
from marketplace.domain.text import TextRefused
from marketplace.pages.shown.rental_state import LABELS
from marketplace.rentals import filters, names

#: as the pages say each state
STATES: Mapping[str, str] = {
    "": "any",
    filters.Group.LIVE: "running or kept",
    filters.Group.OVER: "over",
    **{state: f"– {LABELS[state][0]}" for state in RentalState},
}


class NameField(forms.CharField):
    """What somebody calls a rental."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            label="Name",
            max_length=names.NAME_LENGTH_MAX,
            required=False,
            widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "training run 7"}),
            **options,
        )

    def clean(self, value: Any) -> str:
        """Return it as it is kept; empty: none."""
        try:
            return names.cleaned(super().clean(value))
        except TextRefused as refused:
            raise forms.ValidationError(refused.detail) from None


class NameForm(forms.Form):
    """What a rental is called from now on; empty: nothing."""

    name = NameField()


class FilterForm(forms.Form):
    """Which of somebody's rentals are listed."""

    q = forms.CharField(
        label="Name, or how the id begins",
        max_length=names.NAME_LENGTH_MAX,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    state = forms.ChoiceField(label="State", choices=list(STATES.items()), required=False)

    def wanted(self) -> Q | None:
        """Return the condition that a valid form names; None: it names none."""
        asked = self.cleaned_data
        if not (asked["q"] or asked["state"]):
            return None
        return filters.searched(asked["q"]) & filters.in_state(_state(asked["state"]))


def _state(told: str) -> filters.Group | RentalState:
    if not told:
        return filters.Group.ALL
    return filters.Group(told) if told in list(filters.Group) else RentalState(told)
