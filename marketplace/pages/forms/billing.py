"""This will check to whom a person's papers are made out."""

from typing import Any

from django import forms

from marketplace.domain.tax import ADDRESS_LENGTH_MAX, NAME_LENGTH_MAX
from marketplace.domain.vat import BillingRefused, party
from marketplace.pages.forms.lines import LinesField


class BillingForm(forms.Form):
    """Who buys; ``details`` holds what was checked."""

    name = forms.CharField(
        label="Name of the person or company", max_length=NAME_LENGTH_MAX, required=False
    )
    address = LinesField(
        label="Address",
        max_length=ADDRESS_LENGTH_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )
    country = forms.CharField(label="Country, two letters such as DE", max_length=2, required=False)
    vat_id = forms.CharField(label="VAT id, if you have one", max_length=30, required=False)

    def clean(self) -> dict[str, Any]:
        """Hold the fields against each other."""
        found = self.cleaned_data
        if not self.errors:
            try:
                self.details = party(**found)
            except BillingRefused as refused:
                raise forms.ValidationError(refused.detail) from None
        return found
