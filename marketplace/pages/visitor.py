"""This will tell members from visitors, and send visitors to the log-in."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from marketplace.accounts.acting import settle
from marketplace.accounts.models import User

P = ParamSpec("P")


class MemberRequest(HttpRequest):
    """What a view behind ``members_only`` gets."""

    user: User


def members_only(
    view: Callable[Concatenate[MemberRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Return the view with visitors sent to the log-in page and back.

    A fragment is asked for by a script, which would put the log-in page where the fragment goes;
    so it is told to move the whole window there.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        # The library shows the page that was asked for itself, once somebody said who they are.
        refused = settle(request)
        if refused is not None:
            return refused
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)  # type: ignore[arg-type]
        htmx = getattr(request, "htmx", None)
        if not htmx:
            return redirect_to_login(request.get_full_path())
        return HttpResponseClientRedirect(redirect_to_login(htmx.current_url_abs_path or "/").url)

    return guarded


def onward(request: HttpRequest) -> str:
    """Return where the person goes on to, if it is an address of this site; else nothing."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    # A word without a slash would be looked up as the name of a page.
    ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if ours else ""
