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

#: a WebSocket is no request to Django, which reads one like any other all the same
_SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in, and by which session of theirs."""

    user_id: int
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
    """Return who is logged in by this session; None: nobody, or not any more."""
    if not login:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(login)
    # It also sees that the password is still the one of the log-in.
    user = get_user(request)
    if user.pk is None or not user.is_active:
        return None
    return Visitor(user_id=user.pk, login=login)


def _is_ours(request: ASGIRequest) -> bool:
    origin = request.headers.get("origin", "")
    try:
        ours = f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return False
    return bool(origin) and origin in {ours, *settings.CSRF_TRUSTED_ORIGINS}
