"""This will say who asks for a terminal: from a page of this site, and logged in."""

from collections.abc import MutableMapping
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

from marketplace.accounts import log_ins
from marketplace.accounts.log_ins import Visitor
from marketplace.domain.scope import Scope

#: what it takes to use a rental from inside
NEEDED = Scope.RENTALS_WRITE


def visitor(scope: MutableMapping[str, Any]) -> Visitor | None:
    """Return who asks. None: nobody is logged in, or another site's page asks in their name.

    Browsers send cookies with a WebSocket that any page opens, so its origin is looked at, and one
    without an origin is no browser's.
    """
    try:
        request = log_ins.request_of(scope)
    except DisallowedHost:
        return None
    return of_session(log_ins.login_of(request)) if _is_ours(request) else None


def of_session(login: str) -> Visitor | None:
    """Return who is logged in by this session, and for whom; None: nobody, or not any more."""
    found = log_ins.visitors([login]).get(login)
    return found if found is not None and log_ins.still([found], NEEDED) else None


def _is_ours(request: ASGIRequest) -> bool:
    origin = request.headers.get("origin", "")
    ours = f"{request.scheme}://{request.get_host()}"
    return bool(origin) and origin in {ours, *settings.CSRF_TRUSTED_ORIGINS}
