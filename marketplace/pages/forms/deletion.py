"""This will ask whether somebody means to delete their account, and whether it is them."""

from django import forms


class SureForm(forms.Form):
    """Where no form can ask who they are, a page does that after this one."""

    sure = forms.BooleanField(label="Delete my account: nothing brings it back")


class DeletionForm(SureForm):
    """The password, and a code where the account asks for one."""

    password = forms.CharField(
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="Code",
        max_length=20,
        required=False,
        help_text="Of your authenticator app, or a recovery code, if you have a second step.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )
    field_order = ("password", "code", "sure")
