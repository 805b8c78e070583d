"""This will check what a host asks for a machine."""

from decimal import Decimal
from typing import Any

from django import forms

from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.rent import HOURS_MAX

MINUTE, SECOND = "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"
GUESTS_LENGTH_MAX = 20_000


class MomentField(forms.DateTimeField):
    """A moment in UTC, which is the site's own zone; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(format=MINUTE, attrs={"type": "datetime-local"})
        super().__init__(widget=widget, input_formats=[MINUTE, SECOND], required=False, **options)


class GuestsField(forms.CharField):
    """E-mail addresses, one a line; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"})
        super().__init__(widget=widget, max_length=GUESTS_LENGTH_MAX, required=False, **options)

    def clean(self, value: Any) -> list[str] | None:
        """Return the addresses."""
        return super().clean(value).split() or None


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
    gpus_min = forms.IntegerField(
        label="Fewest GPUs at once", min_value=0, max_value=64, required=False
    )
    cpus_min = forms.IntegerField(
        label="Fewest CPUs at once", min_value=1, max_value=4096, required=False
    )
    ends_at = MomentField(
        label="For rent until, UTC", help_text="No rental may run beyond it. Empty: no end."
    )
    maintenance_from = MomentField(
        label="Maintenance from, UTC",
        help_text=(
            "What still runs then ends, with its files; its renters are told from now on."
            " They have an hour at least."
        ),
    )
    maintenance_until = MomentField(label="Maintenance until, UTC")
    guests = GuestsField(
        label="Only for these people",
        help_text=(
            "E-mail addresses, one a line: nobody else sees the offer. A guest sees it once the"
            " address is proven, under Keys, E-mail address. Empty: everybody."
        ),
    )
    listed = forms.BooleanField(label="On the market", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["longest_hours"].widget.attrs["step"] = "any"

    def longest_term_s(self) -> int | None:
        """Return the longest rental of a valid form; None: it stays as it is."""
        hours = self.cleaned_data["longest_hours"]
        return None if hours is None else int(hours * 3600)
