"""This will check what a host asks for a machine."""

from decimal import Decimal
from typing import Any

from django import forms

from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.rent import HOURS_MAX


class TermsForm(forms.Form):
    """A machine's prices, the lowest bid, the longest term, and whether it is on the market."""

    price_cpu_hour = DollarField(label="$ per CPU-hour", required=False)
    price_gpu_hour = DollarField(label="$ per GPU-hour", required=False)
    bid_floor = DollarField(
        label="Lowest bid, $ per hour",
        required=False,
        help_text=(
            "The lowest price that you accept for one GPU, or one CPU where there is none."
            " No bid is interrupted yet, so this is a discount. Empty: no bids."
        ),
    )
    longest_hours = forms.DecimalField(
        label="Longest rental, hours",
        min_value=Decimal("0.001"),
        max_value=HOURS_MAX,
        decimal_places=3,
        required=False,
    )
    listed = forms.BooleanField(label="On the market", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["longest_hours"].widget.attrs["step"] = "any"

    def longest_term_s(self) -> int | None:
        """Return the longest rental of a valid form; None: it stays as it is."""
        hours = self.cleaned_data["longest_hours"]
        return None if hours is None else int(hours * 3600)
