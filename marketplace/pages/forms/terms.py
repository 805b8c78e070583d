"""This will check what a host asks for a machine."""

from django import forms

from marketplace.pages.forms.amounts import DollarField


class TermsForm(forms.Form):
    """A machine's prices, the lowest bid, and whether it is on the market."""

    price_cpu_hour = DollarField(label="$ per CPU-hour")
    price_gpu_hour = DollarField(label="$ per GPU-hour", required=False)
    bid_floor = DollarField(
        label="Lowest bid, $ per hour",
        required=False,
        help_text=(
            "The lowest price that you accept for one GPU, or one CPU where there is none."
            " No bid is interrupted yet, so this is a discount. Empty: no bids."
        ),
    )
    listed = forms.BooleanField(label="On the market", required=False)
