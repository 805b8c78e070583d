"""This will check what a renter bids."""

from django import forms

from marketplace.pages.forms.amounts import DollarField


class BidForm(forms.Form):
    """The price of an hour of a whole rental."""

    bid = DollarField(label="Your bid, $ an hour")
