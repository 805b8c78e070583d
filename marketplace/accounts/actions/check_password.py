"""This will find out whether a password given to the API is right, without letting anyone guess."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth import authenticate

from marketplace.accounts import second_step
from marketplace.accounts.actions import guess
from marketplace.accounts.models import User
from marketplace.accounts.queries import proven_emails
from marketplace.domain.problem import Refused


class WrongPassword(Refused):
    code = "unauthenticated"
    status = 401
    sentence = "This e-mail address and password do not belong together."


class EmailUnproven(Refused):
    code = "email_unproven"
    status = 403
    sentence = "Open the link in the letter that came when you signed up, then try again."


def check(*, email: str, password: str, code: str, address: str, now: datetime) -> User:
    """Return the person whose e-mail address and password these are.

    ``code`` is what an authenticator app shows, where the account asks for one. ``address`` is the
    network address that tries it.

    :raises WrongPassword: when they are nobody's, or the person was shut out.
    :raises CodeRequired: when the account asks for a code.
    :raises WrongCode: when it is not right.
    :raises PasskeyOnly: when only a browser could log in.
    :raises EmailUnproven: when the site asks for the proof of an address first.
    :raises TooManyAttempts: when too many were tried (actions/guess.py).
    """
    guess.begin(email=email, address=address, now=now)
    user = authenticate(request=None, email=email.strip().lower(), password=password)
    if not isinstance(user, User):
        raise WrongPassword
    second_step.check(user=user, code=code, now=now)
    guess.was_right(email=email, address=address)
    # As on the web (settings.py); whoever does not know the password does not learn of it.
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory" and not proven_emails(user.pk).exists():
        raise EmailUnproven
    return user
