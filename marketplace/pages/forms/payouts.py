"""This will check who a host is, and how they want to be paid."""

from typing import Any

from django import forms

from marketplace.domain.tax import (
    ADDRESS_LENGTH_MAX,
    COUNTRIES,
    NAME_LENGTH_MAX,
    TaxDetailsRefused,
    tax_details,
)
from marketplace.pages.forms.lines import LinesField
from marketplace.payouts.models import Route

BY_NAME = sorted((name, code) for code, name in COUNTRIES.items())


class TaxForm(forms.Form):
    """Who earns; ``details`` holds what was checked."""

    legal_name = forms.CharField(
        label="Legal name of the person or company", max_length=NAME_LENGTH_MAX
    )
    country = forms.ChoiceField(
        label="Country", choices=[(code, name) for name, code in BY_NAME], initial="US"
    )
    tax_id = forms.CharField(
        label="Tax number",
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    address = LinesField(
        label="Address",
        max_length=ADDRESS_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )

    def clean(self) -> dict[str, Any]:
        """Hold the fields against each other."""
        found = self.cleaned_data
        if not self.errors:
            try:
                self.details = tax_details(**found)
            except TaxDetailsRefused as refused:
                raise forms.ValidationError(refused.detail) from None
        return found


class RouteForm(forms.Form):
    """How the host is paid."""

    route = forms.ChoiceField(choices=[(route, route) for route in Route])
