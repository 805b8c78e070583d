"""Staff of the site, and their browsers behind a second step."""

import re

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.utils import timezone

from marketplace.accounts.models import User
from marketplace.console.models import StaffRole
from marketplace.console.staff import Staff
from marketplace.domain.oversight import Role
from marketplace.oversight.models import Act

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
#: no account has this number
NOBODY = 999_999


def staff(name: str, *roles: Role) -> User:
    """Return somebody with these roles, and with an authenticator app."""
    user = User.objects.create_user(f"{name}@berth.example", is_staff=True)
    for role in roles:
        StaffRole.objects.create(user=user, role=role, given_at=timezone.now())
    return with_app(user)


def with_app(user: User) -> User:
    """Return the person, whom an authenticator app guards from now on."""
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    return user


def browser(user: User, *, age_s: float = 0, method: str = "mfa") -> Client:
    """Return a browser in which this person is logged in and gave a code so long ago."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": method, "at": timezone.now().timestamp() - age_s}
    ]
    # Records count for whom they were made alone.
    session["account_authentication_methods_user"] = session[SESSION_KEY]
    session.save()
    return client


def hired(*roles: Role) -> Staff:
    """Return somebody new who has these roles, as the actions know them."""
    user = staff("one", *roles)
    return Staff(user.pk, user.email, frozenset(roles))


def sure(client: Client, path: str, sent: dict[str, str]) -> tuple[str, str]:
    """Return what is said before the act, and what follows it."""
    before = client.post(path, sent).content.decode()
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', before))
    assert found.pop("sure") == "yes"
    assert not Act.objects.exists()
    return before, client.post(path, found | {"sure": "yes"}, follow=True).content.decode()
