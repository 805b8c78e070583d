"""This will let somebody who is logged in act for a team of theirs.

They choose it for their session. From then on ``request.user`` is the team on the pages of the
market, and ``request.acting`` says who acts; on pages about a person (log-in, teams, console) it is
the person as before. Membership and role are looked up at each request, so that whoever is let go
acts no more.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.models import User
from marketplace.accounts.teams import Acting, RoleMissing, TeamUnknown, acting
from marketplace.domain.scope import READS, Scope
from marketplace.domain.team import is_persons, page_needs

#: of the session: the number of the team
CHOSEN = "acting_for"
#: what it was called then, for pages that do not look it up
NAMED = "acting_for_name"
#: names of pages that change nothing of the team's worth a line in its log
QUIET = frozenset({"ask_for_log", "notices-read", "quote", "rental-log"})


class ActingForTeams(MiddlewareMixin):
    """Settles whom a request is for before its page, and notes what was done for a team."""

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Return why they may not; None: the page answers."""
        return settle(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Note what was done in a team's name, for its owners."""
        found = getattr(request, "acting", None)
        if found is not None and request.method not in READS and response.status_code < 400:
            _note(found, request, response)
        return response


def note_done(request: HttpRequest, response: HttpResponse) -> None:
    """Note what a page did for a team though it was only asked for, as if it had been sent."""
    found: Acting | None = getattr(request, "acting", None)
    if found is not None:
        _note(found, request, response)


def choose(request: HttpRequest, team: User | None) -> None:
    """Let the session act for a team that the person is in; None: for themselves again.

    Forms that other windows show were meant for whom they acted for until now, so they are taken
    no more, nor what waits for a password.
    """
    request.session.pop(STATE_SESSION_KEY, None)
    if team is None:
        request.session.pop(CHOSEN, None)
        request.session.pop(NAMED, None)
    else:
        request.session[CHOSEN], request.session[NAMED] = team.pk, team.team_name
    rotate_token(request)


def settle(request: HttpRequest) -> HttpResponse | None:
    """Make the team that was chosen the one that this page is for.

    Again where the library shows another page in place of this one, as it does once somebody has
    said who they are. None: the page answers.
    """
    if getattr(request, "settled_for", None) == request.path:
        return None
    request.settled_for = request.path  # type: ignore[attr-defined]
    if is_persons(request.path):
        return None
    chosen = request.session.get(CHOSEN)
    person = person_of(request)
    if chosen is None or not isinstance(person, User):
        return None
    try:
        found = acting(person.pk, chosen)
    except TeamUnknown as refused:
        choose(request, None)
        return refusal(request, refused.detail)
    try:
        found.must(page_needs(request.method or "", request.path))
    except RoleMissing as refused:
        _act(request, found)
        return refusal(request, refused.detail)
    _act(request, found)
    return None


def must(request: HttpRequest, asked: Scope) -> None:
    """Go on only where whoever acts for a team may do that there; for oneself one may.

    :raises RoleMissing: where their role is not for it.
    """
    found: Acting | None = getattr(request, "acting", None)
    if found is not None:
        found.must(asked)


def person_of(request: HttpRequest) -> User | AnonymousUser:
    """Return who is logged in, whomever they act for."""
    found: Acting | None = getattr(request, "acting", None)
    return found.person if found else request.user


def actor_id(request: HttpRequest) -> int | None:
    """Return who acts for the team that this is done for; None: they act for themselves."""
    found: Acting | None = getattr(request, "acting", None)
    return found.person.pk if found else None


def refusal(request: HttpRequest, sentence: str) -> HttpResponse:
    """Return the page that says why not, and what to do."""
    return render(request, "403.html", {"sentence": sentence}, status=403)


def _act(request: HttpRequest, found: Acting) -> None:
    async def user_of_request() -> User:
        return found.team

    request.acting = found  # type: ignore[attr-defined]
    request.user = found.team
    request.auser = user_of_request


def _note(found: Acting, request: HttpRequest, response: HttpResponse) -> None:
    match = request.resolver_match
    if match is not None and match.url_name in QUIET:
        return
    # A form that only asks what it would cost is sent to its own address.
    if request.POST.get("intent") == "quote":
        return
    led = urlsplit(response.headers.get("Location", "")).path or _made(request, response)
    note(
        team_id=found.team.pk,
        by_id=found.person.pk,
        kind="did",
        about=f"{request.method} {request.path} {led}".strip(),
        now=timezone.now(),
    )


def _made(request: HttpRequest, response: HttpResponse) -> str:
    """Return the number of what a program has just made; empty: it made nothing."""
    if response.status_code != 201 or response.streaming:
        return ""
    said: Any = json.loads(response.content or b"{}")
    return str(said.get("id", "")) if isinstance(said, dict) else ""
