"""This will say which part of the site answers which address."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path
from django.utils import timezone
from django.utils.http import urlencode
from django.views.defaults import page_not_found

from marketplace.accounts import second_step
from marketplace.accounts.other_log_ins import google_came_back, to_github, to_google
from marketplace.accounts.views import (
    change_password,
    log_in,
    log_in_again,
    log_ins,
    reauthenticate,
    reset_password,
    set_password,
    sign_up,
)
from marketplace.api import agent_api, api
from marketplace.described_api import problem
from marketplace.pages.staff import to_second_step
from marketplace.payments.views import card_events
from marketplace.payouts.webhooks import connect_events
from protocol import paths


def _may_administer(request: HttpRequest) -> bool:
    """Say whether it is an operator of the server; a role in the console opens nothing here."""
    user = request.user
    is_operator = user.is_active and getattr(user, "is_superuser", False)
    return is_operator and second_step.taken_lately(request, now=timezone.now())


def _log_in_first(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    """Lead to what is missing: the site's log-in limits guessing, and the admin's does not."""
    if not request.user.is_authenticated:
        onward = urlencode({"next": request.GET.get("next", "/admin/")})
        return redirect(f"{settings.LOGIN_URL}?{onward}")
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied
    return to_second_step(request, back="/admin/")


admin.site.has_permission = _may_administer  # type: ignore[method-assign]
admin.site.login = _log_in_first  # type: ignore[method-assign]
# Libraries bring these with forms that change; nothing here uses any.
_OTHERS = (SocialAccount, SocialApp, SocialToken)
admin.site.unregister((Authenticator, EmailAddress, Group, UserSession, *_OTHERS))


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Tell a program in its own shape that there is nothing at this address."""
    if request.path.startswith("/api/"):
        return problem(404, "not_found", "There is nothing at this address.")
    return page_not_found(request, exception)


urlpatterns = [
    path(paths.API.removeprefix("/") + "/", api.urls),
    path(paths.AGENT_API.removeprefix("/") + "/", agent_api.urls),
    path("accounts/login/", log_in, name="account_login"),
    path("accounts/signup/", sign_up, name="account_signup"),
    path("accounts/password/reset/", reset_password, name="account_reset_password"),
    path("accounts/password/change/", change_password, name="account_change_password"),
    path("accounts/reauthenticate/", reauthenticate, name="account_reauthenticate"),
    path("accounts/password/set/", set_password, name="account_set_password"),
    path("accounts/again/", log_in_again, name="log-in-again"),
    path("accounts/3rdparty/", log_ins, name="socialaccount_connections"),
    # Whoever comes by another log-in gets an account at once or none: there is no form between.
    path("accounts/3rdparty/signup/", log_in, name="socialaccount_signup"),
    path("accounts/github/login/", to_github, name="github_login"),
    path("accounts/google/login/", to_google, name="google_login"),
    path("accounts/google/login/callback/", google_came_back, name="google_callback"),
    path("accounts/google/login/token/", log_in, name="google_login_by_token"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("stripe/events", card_events, name="card-events"),
    path("stripe/connect", connect_events, name="stripe-connect"),
    path("", include("marketplace.pages.urls")),
]
