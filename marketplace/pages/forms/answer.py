"""This will read how staff answer a renter's report."""

from typing import Any

from django import forms

from marketplace.domain.rental_report import Payer
from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.console import ReasonForm

PAYERS = {
    Payer.HOST: "the host, who gives their part of it out of what is not paid out yet; the site"
    " gives its fee (and what the host does not have, if you may give credit)",
    Payer.SITE: "the site alone, if you may give credit; the host keeps what they earned",
}


class CreditForm(ReasonForm):
    """How much comes back, whose money it is, and why."""

    amount = DollarField(label="Amount, $")
    payer = forms.ChoiceField(
        label="Who pays",
        choices=[(one.value, label) for one, label in PAYERS.items()],
        widget=forms.RadioSelect,
    )
    field_order = ("amount", "payer", "reason")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        told = "The renter reads it, and the host where they pay; the log keeps it."
        self.fields["reason"].help_text = told
