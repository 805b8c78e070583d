"""This will check new SSH keys and API keys."""

from django import forms

from marketplace.domain.scope import Scope
from marketplace.domain.text import TextRefused, one_line
from marketplace.pages.forms.amounts import DollarField
from marketplace.pages.forms.lines import LinesField


def on_one_line(name: str) -> None:
    """Accept a name that can be kept, and say beside its field what is wrong with another.

    :raises ValidationError: when something of it cannot be seen.
    """
    try:
        one_line(name)
    except TextRefused as refused:
        raise forms.ValidationError(refused.detail) from None


class SshKeyForm(forms.Form):
    """A public key; the action says what is wrong with a malformed one."""

    name = forms.CharField(
        max_length=80,
        validators=[on_one_line],
        help_text="So that you know it again: laptop, office.",
    )
    public_key = LinesField(
        label="Public key",
        max_length=8000,
        help_text="One line, as in <code>~/.ssh/id_ed25519.pub</code>.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )


class ApiKeyForm(forms.Form):
    """What a new API key is called."""

    name = forms.CharField(
        max_length=80, validators=[on_one_line], help_text="What will use it: laptop, CI."
    )
    spend_limit = DollarField(
        label="Spend limit, $",
        required=False,
        help_text="The most that it may ever set aside for what it rents; what was not used counts"
        " back. Empty: no limit of its own.",
    )
    lasts_days = forms.IntegerField(
        label="Lasts for, days",
        min_value=1,
        max_value=3650,
        required=False,
        help_text="Empty: until you revoke it.",
    )
    scopes = forms.MultipleChoiceField(
        label="May",
        choices=[
            (Scope.RENTALS_READ.value, "see rentals, jobs and endpoints"),
            (Scope.RENTALS_WRITE.value, "rent, change and end them"),
            (Scope.MONEY_READ.value, "see statements, invoices and payments"),
            (Scope.MONEY_WRITE.value, "pay in, and set limits"),
            (Scope.HOST_READ.value, "see machines, earnings and payouts"),
            (Scope.HOST_WRITE.value, "enrol machines, set prices and payouts"),
            (Scope.ACCOUNT_READ.value, "see SSH keys, notices and web hooks"),
            (Scope.ACCOUNT_WRITE.value, "change those"),
            (Scope.KEYS_READ.value, "see SSH keys alone"),
            (Scope.KEYS_WRITE.value, "add and remove SSH keys alone"),
        ],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None checked: all of it. To change includes to see.",
    )
