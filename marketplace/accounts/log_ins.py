"""This will say who is logged in by which session, and for whom, beside Django's requests.

For what stays open for minutes: many log-ins are looked at together, in three queries.
"""

import re
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from marketplace.accounts.acting import CHOSEN
from marketplace.accounts.models import Membership, User
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role, may

#: sessions whose signature was checked already: of as many as a process has pages open
CLAIMS_MAX = 5000
#: as Django makes them
SESSION = re.compile("[a-z0-9]{8,40}", re.ASCII)
#: a WebSocket is no request to Django, which reads one like any other all the same
_SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """For whom a page is, who sits before it, and by which session of theirs."""

    #: a team where they act for one
    user_id: int
    person_id: int
    login: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a session says; whether it is so, the person's row says."""

    person_id: int
    password_hash: str
    #: None: they act for themselves
    chosen: int | None


def request_of(scope: MutableMapping[str, Any]) -> ASGIRequest:
    """Return what Django would make of a call, to read its headers and cookies.

    :raises DisallowedHost: when it is for another site.
    """
    scheme = str(scope.get("scheme", "http"))
    http = {**scope, "type": "http", "scheme": _SCHEMES.get(scheme, scheme)}
    request = ASGIRequest({**http, "method": http.get("method", "GET")}, BytesIO())
    request.get_host()
    return request


def login_of(request: ASGIRequest) -> str:
    """Return the session that a call names; empty: none, or what is none."""
    named = str(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
    # Many are looked up in one statement: what no database takes would be refused for all of them.
    return named if SESSION.fullmatch(named) else ""


def visitors(logins: Collection[str]) -> Mapping[str, Visitor]:
    """Return who is logged in by these sessions, and whom each acts for now; others are missing."""
    return {
        login: Visitor(claim.chosen or claim.person_id, claim.person_id, login)
        for login, claim in _proven(logins).items()
    }


def still(some: Collection[Visitor], asked: Scope) -> frozenset[Visitor]:
    """Return those who are logged in still and, of a team's, in it with a role for that.

    Whom their session acts for by now is another matter: their page was opened before.
    """
    proven = _proven({one.login for one in some})
    known = [one for one in some if _is_of(proven.get(one.login), one)]
    for_teams = {(one.person_id, one.user_id) for one in known if one.person_id != one.user_id}
    roles = _roles(for_teams) if for_teams else {}
    return frozenset(
        one
        for one in known
        if one.person_id == one.user_id or _may(roles.get((one.person_id, one.user_id)), asked)
    )


def _may(role: Role | None, asked: Scope) -> bool:
    return role is not None and may(role, asked)


def _is_of(claim: _Claim | None, one: Visitor) -> bool:
    return claim is not None and claim.person_id == one.person_id


def _proven(logins: Collection[str]) -> dict[str, _Claim]:
    rows = Session.objects.filter(session_key__in=logins, expire_date__gt=timezone.now())
    claims = {
        login: claim
        for login, said in rows.order_by("pk").values_list("session_key", "session_data")
        if (claim := _claim(said)) is not None
    }
    people = User.objects.only("password").filter(is_active=True)
    hashes = {
        person.pk: (person.get_session_auth_hash(), *person.get_session_auth_fallback_hash())
        for person in people.filter(pk__in={one.person_id for one in claims.values()})
    }
    return {
        login: claim
        for login, claim in claims.items()
        # It also sees that the password is still the one of the log-in.
        if any(
            constant_time_compare(claim.password_hash, one)
            for one in hashes.get(claim.person_id, ())
        )
    }


@lru_cache(maxsize=CLAIMS_MAX)
def _claim(said: str) -> _Claim | None:
    told = Session(session_data=said).get_decoded()
    if told.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    return _Claim(int(told[SESSION_KEY]), told.get(HASH_SESSION_KEY, ""), told.get(CHOSEN))


def _roles(pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], Role]:
    people, teams = zip(*pairs, strict=True)
    rows = Membership.objects.filter(
        person_id__in=set(people), team_id__in=set(teams), team__is_active=True
    )
    found = rows.order_by("pk").values_list("person_id", "team_id", "role")
    return {(person_id, team_id): Role(role) for person_id, team_id, role in found}
