"""This will check how much longer a rental should run."""

from typing import Any

from django import forms

from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.rent import HOURS_MAX


class ExtendForm(forms.Form):
    """More hours, a higher limit in dollars, or both."""

    hours_more = forms.DecimalField(
        label="Add hours", min_value=0, max_value=HOURS_MAX, decimal_places=3, required=False
    )
    cap = DollarField(label="Spend up to, $", required=False)
    #: pressing the button twice extends once
    request_key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["hours_more"].widget.attrs["step"] = "any"

    def seconds_more(self) -> int | None:
        """Return what to add to the lease; None where only the cap rises."""
        return int((self.cleaned_data["hours_more"] or 0) * 3600) or None
