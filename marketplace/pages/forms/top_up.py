"""This will check how much money comes in."""

from django import forms

from marketplace.pages.forms.amounts import DollarField


class TopUpForm(forms.Form):
    """An amount, and a key so that pressing twice pays once."""

    amount = DollarField(label="Amount, $", initial="10.00")
    request_key = forms.CharField(widget=forms.HiddenInput, max_length=64)
