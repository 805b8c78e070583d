"""Browsers in which somebody has just logged in, without the forms of it."""

import time

from allauth.account.internal.flows import login
from allauth.account.internal.userkit import user_id_to_str
from django.test import Client

from marketplace.accounts.models import User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def enter(browser: Client, user: User, *, ago_s: float = 0) -> Client:
    """Let them in as if they had given their password so many seconds ago."""
    browser.force_login(user, backend=BACKEND)
    session = browser.session
    given = {"method": "password", "at": time.time() - ago_s, "email": user.email}
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [given]
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = user_id_to_str(user)
    session.save()
    return browser
