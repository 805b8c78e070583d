"""This will check what a host asks for a machine."""

import re
from decimal import Decimal
from typing import Any

from django import forms

from marketplace.domain.country import by_name, written
from marketplace.domain.money import MicroUsd
from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.lines import LinesField
from marketplace.pages.forms.rent import HOURS_MAX
from protocol.hardware import COUNT_MOST

MINUTE, SECOND = "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"
GUESTS_LENGTH_MAX = 20_000
#: of a discount curve
STEP = re.compile(r"(?P<days>[0-9]{1,3})\s*:\s*(?P<percent>[0-9]{1,2}(\.[0-9]{1,4})?)\s*%?")


class MomentField(forms.DateTimeField):
    """A moment in UTC, which is the site's own zone; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(format=MINUTE, attrs={"type": "datetime-local"})
        super().__init__(widget=widget, input_formats=[MINUTE, SECOND], required=False, **options)


class GuestsField(LinesField):
    """E-mail addresses, one a line; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"})
        super().__init__(widget=widget, max_length=GUESTS_LENGTH_MAX, required=False, **options)

    def clean(self, value: Any) -> list[str] | None:
        """Return the addresses."""
        return super().clean(value).split() or None


class CurveField(LinesField):
    """What reservations take off, ``30: 20`` a line; empty where nothing is written."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"})
        super().__init__(widget=widget, max_length=1000, required=False, **options)

    def clean(self, value: Any) -> list[dict[str, int]]:
        """Return the steps."""
        steps = []
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            match = STEP.fullmatch(line)
            if match is None:
                raise forms.ValidationError("Write days and percent off, such as 30: 20.")
            ppm = int(Decimal(match["percent"]) * 10_000)
            steps.append({"days": int(match["days"]), "discount_ppm": ppm})
        return steps


class PriceField(DollarField):
    """Dollars, which may be none; 0 where nothing is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> MicroUsd:
        """Return micro-USD."""
        if str(value or "").strip(" $0.") == "":
            return MicroUsd(0)
        return super().clean(value) or MicroUsd(0)


class TermsForm(forms.Form):
    """A machine's prices, the lowest bid, the longest term, and whether it is on the market."""

    price_cpu_hour = DollarField(label="$ per CPU-hour", required=False)
    price_gpu_hour = DollarField(label="$ per GPU-hour", required=False)
    bid_floor = DollarField(
        label="Lowest bid, $ per hour",
        required=False,
        help_text=(
            "The lowest price that you accept for one GPU, or one CPU where there is none."
            " Who bids is outbid by higher bids and by whoever pays the price. Empty: no bids."
        ),
    )
    discounts = CurveField(
        label="Reservations, days: percent off",
        help_text=(
            "One step a line, such as 7: 5 and 30: 20; each is longer and takes more off. The whole"
            " term is paid at the start, second by second as you deliver it. Empty: none."
        ),
    )
    storage_price = PriceField(
        label="Disk while stopped, $ per GB and month",
        help_text="Of 30 days; never more an hour than it costs to run. Empty: nothing.",
    )
    network_price = PriceField(
        label="Traffic, $ per GB", help_text="In and out together. Empty: nothing."
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
        label="Fewest CPUs at once", min_value=1, max_value=COUNT_MOST, required=False
    )
    country = forms.ChoiceField(
        label="Country",
        choices=[
            ("", "Not told"),
            *((code, written(code)) for code in by_name()),
        ],
        required=False,
        help_text="Where the machine is. Renters see it as your word.",
    )
    ends_at = MomentField(
        label="For rent until, UTC", help_text="No rental may run beyond it. Empty: no end."
    )
    guests = GuestsField(
        label="Only for these people",
        help_text=(
            "E-mail addresses, one a line: nobody else sees the offer. A guest sees it once the"
            " address is proven, under Account, E-mail address. Empty: everybody."
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
