"""This will say who sends an API request."""

from datetime import datetime
from typing import cast
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from marketplace.accounts import queries
from marketplace.accounts.models import ApiKey, User
from marketplace.domain.problem import Refused
from marketplace.domain.scope import allows, needed
from protocol import paths


class ScopeMissing(Refused):
    """The API key was made for other things."""

    code = "scope_missing"
    status = 403


class ApiKeyBearer(HttpBearer):
    """``Authorization: Bearer brt_...``"""

    openapi_description = "An API key: brt_..., from POST /api/v1/auth/key or the page /api-keys/."

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the key's owner; None refuses the request."""
        key = allowed_key(token, request.method or "", request.path_info, timezone.now())
        if key is None:
            return None
        request.api_key_id = key.pk  # type: ignore[attr-defined]
        return key.user


def allowed_key(token: str, method: str, path: str, now: datetime) -> ApiKey | None:
    """Return the key, which may do this. None: it opens nothing.

    :raises ScopeMissing: when it was made for other things.
    """
    key = queries.key_of(token, now)
    asked = needed(method, path.removeprefix(paths.API))
    if key is not None and not allows(key.scopes, asked):
        raise ScopeMissing(f"This API key may not do that; use one with the scope {asked}.")
    return key


def viewer_id(request: HttpRequest) -> int | None:
    """Return who sends a request that anybody may send; None: nobody that is known here."""
    user = ApiKeyBearer()(request)
    return user.pk if isinstance(user, User) else None


def caller(request: HttpRequest) -> User:
    """Return the person that ApiKeyBearer let in."""
    return cast(User, request.auth)  # type: ignore[attr-defined]


def caller_key(request: HttpRequest) -> UUID | None:
    """Return the key by which ApiKeyBearer let the caller in."""
    return getattr(request, "api_key_id", None)
