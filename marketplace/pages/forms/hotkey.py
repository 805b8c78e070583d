"""This will check a hotkey's address, and its signature under the text that it was given."""

from django import forms


class HotkeyForm(forms.Form):
    """Whose signature is asked for."""

    hotkey = forms.CharField(
        label="Hotkey",
        max_length=64,
        help_text="Its ss58 address, which begins with 5.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class ConsentForm(forms.Form):
    """What a wallet made of the text."""

    hotkey = forms.CharField(max_length=64, widget=forms.HiddenInput)
    signed_at = forms.DateTimeField(widget=forms.HiddenInput)
    signature = forms.RegexField(
        label="Signature",
        regex=r"^(0x)?[0-9a-fA-F]{128}$",
        strip=True,
        help_text="128 hex digits, with or without 0x.",
        error_messages={"invalid": "This is no sr25519 signature: it has 128 hex digits."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
