"""This will read what a renter reports of a rental."""

from django import forms

from marketplace.domain.rental_report import TEXT_LENGTH_MAX, WRONG
from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.lines import LinesField


class ReportForm(forms.Form):
    """What was wrong, in a word and in their own."""

    what = forms.ChoiceField(
        label="What was wrong",
        choices=[(one.value, label) for one, label in WRONG.items()],
        widget=forms.RadioSelect,
    )
    text = LinesField(
        label="What happened",
        max_length=TEXT_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="When, and how it showed. Leave out passwords and keys.",
    )
    ask = DollarField(
        label="Money back, $",
        required=False,
        help_text="At most what it cost in the last 30 days. Leave it empty to ask for none.",
    )
