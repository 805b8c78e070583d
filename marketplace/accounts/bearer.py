"""This will say who sends an API request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from marketplace.accounts import queries
from marketplace.accounts.models import ApiKey, User
from marketplace.accounts.teams import Acting, TeamUnknown, acting
from marketplace.domain.problem import Refused
from marketplace.domain.scope import allows, needed
from protocol import paths

#: names the team that a call is for
HEADER = "Berth-Team"
#: of its number
ID_LENGTH_MAX = 18
#: the first part of paths to what a team has not
OF_PEOPLE = frozenset({"teams", "invitations"})


class ScopeMissing(Refused):
    """The API key was made for other things."""

    code = "scope_missing"
    status = 403


class NotForTeams(Refused):
    """A program asks in a team's name for what only people have."""

    code = "not_for_teams"
    status = 403
    sentence = f"This is yours, and no team's: use a key of your own without {HEADER}."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the account that it is for, by which key, and for whom of a team."""

    user: User
    key: ApiKey
    #: None: for themselves
    acting: Acting | None


class ApiKeyBearer(HttpBearer):
    """``Authorization: Bearer brt_...``"""

    openapi_description = (
        "An API key: brt_..., from POST /api/v1/auth/key or the page /api-keys/. With the header"
        f" {HEADER} and the id of a team that you are in (GET /api/v1/teams) a call is the team's."
    )

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return whose call it is; None refuses the request."""
        found = let_in(
            token,
            request.method or "",
            request.path_info,
            timezone.now(),
            team=request.headers.get(HEADER, ""),
        )
        if found is None:
            return None
        request.api_key_id = found.key.pk  # type: ignore[attr-defined]
        request.api_key_scopes = tuple(found.key.scopes)  # type: ignore[attr-defined]
        request.acting = found.acting  # type: ignore[attr-defined]
        return found.user


def let_in(token: str, method: str, path: str, now: datetime, *, team: str = "") -> Caller | None:
    """Return who calls, who may do this. None: the key opens nothing.

    ``team``: what the header says; empty: the key's owner calls, or the team that it was made for.

    :raises ScopeMissing: when the key was made for other things.
    :raises TeamUnknown: when it is nobody's key who is in the team.
    :raises RoleMissing: when their role there is for other things.
    :raises NotForTeams: when no team has such a thing.
    """
    key = queries.key_of(token, now)
    if key is None:
        return None
    below = path.removeprefix(paths.API)
    asked = needed(method, below)
    if not allows(key.scopes, asked):
        raise ScopeMissing(f"This API key may not do that; use one with the scope {asked}.")
    found = _acting(key, team)
    if found is None:
        return Caller(key.user, key, None)
    if below.strip("/").partition("/")[0] in OF_PEOPLE:
        raise NotForTeams
    found.must(asked)
    return Caller(found.team, key, found)


def _acting(key: ApiKey, team: str) -> Acting | None:
    """Return whom the key acts for; both its own scopes and the role there bound it.

    It is looked at for each call, so that no key outlives the role that it was made with.
    """
    if team and not (team.isascii() and team.isdigit() and len(team) <= ID_LENGTH_MAX):
        raise TeamUnknown
    if not key.user.is_team:
        return acting(key.user_id, int(team)) if team else None
    if key.made_by_id is None or (team and int(team) != key.user_id):
        raise TeamUnknown
    return acting(key.made_by_id, key.user_id)


def viewer_id(request: HttpRequest) -> int | None:
    """Return who sends a request that anybody may send; None: nobody that is known here."""
    user = ApiKeyBearer()(request)
    return user.pk if isinstance(user, User) else None


def caller(request: HttpRequest) -> User:
    """Return whose call it is that ApiKeyBearer let in: a person's, or a team's."""
    return cast(User, request.auth)  # type: ignore[attr-defined]


def caller_key(request: HttpRequest) -> UUID | None:
    """Return the key by which ApiKeyBearer let the caller in."""
    return getattr(request, "api_key_id", None)


def caller_scopes(request: HttpRequest) -> Sequence[str]:
    """Return what that key was made for; none at all: everything."""
    return cast(Sequence[str], request.api_key_scopes)  # type: ignore[attr-defined]


def team_caller(request: HttpRequest) -> Acting | None:
    """Return who calls for a team; None: it is a person's own call."""
    found: Acting | None = getattr(request, "acting", None)
    return found
