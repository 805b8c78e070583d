"""This will say who asks for a terminal: from a page of this site, and logged in."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from marketplace.accounts.acting import CHOSEN
from marketplace.accounts.teams import RoleMissing, TeamUnknown, acting
from marketplace.domain.scope import Scope

#: a WebSocket is no request to Django, which reads one like any other all the same
_SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """For whom a terminal is, who sits before it, and by which session of theirs."""

    #: a team where they act for one
    user_id: int
    person_id: int
    login: str


def visitor(scope: MutableMapping[str, Any]) -> Visitor | None:
    """Return who asks. None: nobody is logged in, or another site's page asks in their name.

    Browsers send cookies with a WebSocket that any page opens, so its origin is looked at, and one
    without an origin is no browser's.
    """
    http = {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": _SCHEMES.get(str(scope.get("scheme", "ws")), "http"),
    }
    request = ASGIRequest(http, BytesIO())
    if not _is_ours(request):
        return None
    return of_session(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))


def of_session(login: str) -> Visitor | None:
    """Return who is logged in by this session, and for whom; None: nobody, or not any more."""
    request = _logged_in(login)
    if request is None or request.user.pk is None:
        return None
    person_id = request.user.pk
    found = Visitor(request.session.get(CHOSEN, person_id), person_id, login)
    return found if _may(found) else None


def still(one: Visitor) -> bool:
    """Say whether they are logged in still and, of a team's, in it with a role that rents.

    Whom their session acts for by now is another matter: this terminal was opened before.
    """
    request = _logged_in(one.login)
    return request is not None and request.user.pk == one.person_id and _may(one)


def _logged_in(login: str) -> HttpRequest | None:
    if not login:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(login)
    # It also sees that the password is still the one of the log-in.
    request.user = get_user(request)
    return request if request.user.pk is not None and request.user.is_active else None


def _may(one: Visitor) -> bool:
    if one.user_id == one.person_id:
        return True
    try:
        acting(one.person_id, one.user_id).must(Scope.RENTALS_WRITE)
    except (TeamUnknown, RoleMissing):
        return False
    return True


def _is_ours(request: ASGIRequest) -> bool:
    origin = request.headers.get("origin", "")
    try:
        ours = f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return False
    return bool(origin) and origin in {ours, *settings.CSRF_TRUSTED_ORIGINS}
