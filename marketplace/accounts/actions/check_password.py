"""This will find out whether a password given to the API is right, without letting anyone guess."""

from django.contrib.auth import authenticate
from django.core.cache import cache

from marketplace.accounts.models import User
from marketplace.domain.problem import Refused

FAILURES_MAX = 10
WINDOW_S = 300


class WrongPassword(Refused):
    code = "unauthenticated"
    status = 401
    sentence = "This e-mail address and password do not belong together."


class TooManyAttempts(Refused):
    code = "rate_limited"
    status = 429
    sentence = "Too many wrong passwords for this address; wait five minutes and try again."


def check(*, email: str, password: str) -> User:
    """Return the person whose address and password these are.

    :raises WrongPassword: when they are nobody's, or the person was shut out.
    :raises TooManyAttempts: after ten failures for the address within five minutes.
    """
    address = email.strip().lower()
    counter = f"accounts:wrong-passwords:{address}"
    if cache.get(counter, 0) >= FAILURES_MAX:
        raise TooManyAttempts
    user = authenticate(request=None, email=address, password=password)
    if not isinstance(user, User):
        cache.add(counter, 0, WINDOW_S)
        cache.incr(counter)
        raise WrongPassword
    return user
