"""This will read what staff write in the console."""

from typing import Any

from django import forms

from marketplace.domain.oversight import MEANING, REASON_LENGTH_MAX, Role
from marketplace.pages.forms.amounts import DollarField


class ReasonForm(forms.Form):
    """Why: each act asks for it."""

    reason = forms.CharField(
        label="Why",
        max_length=REASON_LENGTH_MAX,
        help_text="The log keeps it, with your name.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RefundForm(ReasonForm):
    """How much goes back to a card, and why; each shown form sends it once."""

    amount = DollarField(label="Amount, $", help_text="In whole cents.")
    request_key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    field_order = ("amount", "reason")


class RolesForm(forms.Form):
    """Who has which roles from now on."""

    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    roles = forms.MultipleChoiceField(
        label="Roles",
        required=False,
        choices=[(role.value, f"{role.value}: {MEANING[role]}") for role in Role],
        widget=forms.CheckboxSelectMultiple,
        help_text="With none of them, the console is closed to this person.",
    )
    reason = ReasonForm.base_fields["reason"]

    def clean_roles(self) -> list[Role]:
        """Return the roles."""
        names: Any = self.cleaned_data["roles"]
        return [Role(name) for name in names]
