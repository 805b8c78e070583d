"""This will word the forms of the log-in and the sign-up."""

from typing import Any

from allauth.account.forms import LoginForm, SignupForm


class LogIn(LoginForm):  # type: ignore[misc]
    """E-mail address and password."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["login"].label = "E-mail"
        # The page itself leads to a new password, where the site sends letters.
        self.fields["password"].help_text = ""
        self.fields["remember"].label = "Stay logged in on this computer"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class SignUp(SignupForm):  # type: ignore[misc]
    """E-mail address and a new password, whose rules are one line."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["email"].label = "E-mail"
        self.fields["password1"].help_text = "At least 8 characters, and none of the common ones."
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
