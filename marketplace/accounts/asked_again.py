"""This will ask somebody who they are again before what an open session alone must not do."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponseBase

from marketplace.accounts.acting import person_of
from marketplace.accounts.models import User

P = ParamSpec("P")
R = TypeVar("R", bound=HttpRequest)
#: a letter shows that somebody reads the mail, and not that they know the password
NO_PROOF = frozenset({"password_reset"})


def proofs(request: HttpRequest) -> int:
    """Return how often they have shown in this session who they are."""
    return len(_times(request))


def said_recently(request: HttpRequest) -> bool:
    """Say whether they gave a password, a code or a passkey in the last minutes.

    A log-in counts too: nobody is asked the same twice in a row.
    """
    age_s: float = app_settings.REAUTHENTICATION_TIMEOUT
    return any(0 <= time.time() - at < age_s for at in _times(request))


def ask(request: HttpRequest) -> None:
    """Go on only if they said so recently; otherwise they are asked, and then it is done.

    :raises ReauthenticationRequired: which the library's middleware answers with its page.
    """
    if not said_recently(request):
        raise ReauthenticationRequired


def asked_again(
    view: Callable[Concatenate[R, P], HttpResponseBase],
) -> Callable[Concatenate[R, P], HttpResponseBase]:
    """Return a view that asks before it takes a form in; put it inside ``members_only``."""

    @wraps(view)
    def guarded(request: R, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method == "POST":
            ask(request)
        return view(request, *args, **kwargs)

    return guarded


def _times(request: HttpRequest) -> list[float]:
    # Whoever acts for a team is asked who they are themselves.
    user = person_of(request)
    if not isinstance(user, User):
        return []
    records = get_authentication_records(request, user)
    return [record["at"] for record in records if record["method"] not in NO_PROOF]
