"""This will read the address of a new web hook."""

from django import forms

from marketplace.notices.actions.add_hook import URL_LENGTH_MAX


class WebHookForm(forms.Form):
    """An address; the action says what is wrong with a malformed one."""

    url = forms.CharField(
        label="Address",
        max_length=URL_LENGTH_MAX,
        help_text="Such as <code>https://example.com/berth</code>.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )
