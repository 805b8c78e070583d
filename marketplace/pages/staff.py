"""This will let staff into the console: by their role, and behind a second step."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache

from marketplace.accounts import second_step
from marketplace.accounts.models import User
from marketplace.console.staff import NotYourRole, Staff, staff
from marketplace.domain.oversight import Right
from marketplace.pages.visitor import MemberRequest, members_only

P = ParamSpec("P")
SET_UP = (
    "The console opens for accounts with a second step only: set up an authenticator app or a"
    " passkey here first."
)


class StaffRequest(MemberRequest):
    """What a view behind ``staff_only`` gets."""

    staff: Staff


def staff_only(
    right: Right,
) -> Callable[
    [Callable[Concatenate[StaffRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Return a decorator that lets in who has this right and gave a second step lately.

    For anybody else who is logged in there is no such page. What it shows is kept by no browser.
    """

    def decorate(
        view: Callable[Concatenate[StaffRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        def guarded(
            request: MemberRequest, /, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            found = staff(request.user)
            if found is None:
                raise Http404("There is no such page.")
            if not second_step.taken_lately(request, now=timezone.now()):
                return to_second_step(request)
            if right not in found.rights:
                raise PermissionDenied(NotYourRole.sentence)
            request.staff = found  # type: ignore[attr-defined]
            try:
                return view(cast(StaffRequest, request), *args, **kwargs)
            except NotYourRole as refused:
                raise PermissionDenied(refused.detail) from None

        return wraps(view)(never_cache(members_only(guarded)))

    return decorate


def to_second_step(request: HttpRequest, *, back: str = "") -> HttpResponse:
    """Lead to where the second step is given, or set up, and back to an address of this site.

    By itself it is the page that was asked for, and the console's first one where something was
    sent: that is not sent again.
    """
    user = request.user
    if not isinstance(user, User) or not second_step.is_set(user):
        messages.warning(request, SET_UP)
        return redirect("mfa_index")
    asked = request.get_full_path() if request.method == "GET" else reverse("console")
    return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': back or asked})}")
