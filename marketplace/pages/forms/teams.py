"""This will read how a team is called, and who is invited into it."""

from collections.abc import Sequence
from typing import Any

from django import forms

from marketplace.domain.team import MEANING, NAME_LENGTH_MAX, Role


class TeamForm(forms.Form):
    """What a team is called."""

    name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH_MAX,
        help_text="Whoever you invite reads it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text="Only who proves that it is theirs can join.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, given: Sequence[Role], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["role"] = forms.ChoiceField(
            label="Role",
            initial=Role.MEMBER.value,
            choices=[(role.value, f"{role.value}: {MEANING[role]}") for role in given],
            widget=forms.RadioSelect,
        )

    def clean_role(self) -> Role:
        """Return the role."""
        return Role(self.cleaned_data["role"])
