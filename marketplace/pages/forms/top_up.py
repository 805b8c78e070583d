"""This will check how much money comes in, and by which rule."""

from django import forms

from marketplace.domain.money import field_usd
from marketplace.domain.paying_in import AutoTopUpRule
from marketplace.pages.forms.amounts import DollarField
from marketplace.payments.models import AutoTopUp


class TopUpForm(forms.Form):
    """An amount, and a key so that pressing twice pays once."""

    amount = DollarField(label="Amount, $", initial="10.00")
    request_key = forms.CharField(widget=forms.HiddenInput, max_length=64)


class AutoTopUpForm(forms.Form):
    """When the card is asked without its owner."""

    threshold = DollarField(label="Below, $", initial="5.00")
    amount = DollarField(label="Add, $", initial="20.00")
    month_max = DollarField(label="At most in a month, $", initial="100.00")

    prefix = "automatic"

    @classmethod
    def of(cls, row: AutoTopUp | None) -> "AutoTopUpForm":
        """Return the form with what is set already."""
        if row is None:
            return cls()
        return cls(
            initial={
                "threshold": field_usd(row.threshold_microusd),
                "amount": field_usd(row.amount_microusd),
                "month_max": field_usd(row.month_microusd_max),
            }
        )

    @property
    def rule(self) -> AutoTopUpRule:
        """Return the rule of a valid form."""
        clean = self.cleaned_data
        return AutoTopUpRule(clean["threshold"], clean["amount"], clean["month_max"])
