"""This will check what a host asks for a machine."""

from django import forms

from marketplace.pages.forms.amounts import DollarField


class TermsForm(forms.Form):
    """A machine's prices and whether it is on the market."""

    price_cpu_hour = DollarField(label="$ per CPU-hour")
    price_gpu_hour = DollarField(label="$ per GPU-hour", required=False)
    listed = forms.BooleanField(label="On the market", required=False)
