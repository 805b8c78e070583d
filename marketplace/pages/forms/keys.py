"""This will check new SSH keys and API keys."""

from django import forms

from marketplace.pages.forms.amounts import DollarField


class SshKeyForm(forms.Form):
    """A public key; the action says what is wrong with a malformed one."""

    name = forms.CharField(max_length=80, help_text="So that you know it again: laptop, office.")
    public_key = forms.CharField(
        label="Public key",
        max_length=8000,
        help_text="One line, as in <code>~/.ssh/id_ed25519.pub</code>.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )


class ApiKeyForm(forms.Form):
    """What a new API key is called."""

    name = forms.CharField(max_length=80, help_text="What will use it: laptop, CI.")
    spend_limit = DollarField(
        label="Spend limit, $",
        required=False,
        help_text="The most that it may ever set aside for what it rents; what was not used counts"
        " back. Empty: no limit of its own.",
    )
