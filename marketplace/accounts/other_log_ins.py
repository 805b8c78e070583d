"""This will let people log in by GitHub or Google, where this site is known there.

Whoever comes from there with an address that nobody has here gets an account. Somebody else's
account is never opened by an address alone: its owner logs in, proves the address and links it.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.flows.manage_email import assess_unique_email
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.github.views import oauth2_login as _to_github
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from allauth.socialaccount.providers.google.views import oauth2_login as _to_google
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

from marketplace.accounts import queries
from marketplace.accounts.actions.note_event import note
from marketplace.accounts.models import AccountEvent, User

#: all that is kept of what a provider says of somebody
KEPT = frozenset({"id", "sub", "login", "email"})
#: what the way to a provider may be asked; a provider's own words are not ours to hand on
ASKED = frozenset({"process", "next"})
View = Callable[[HttpRequest], HttpResponse]


def offered() -> Mapping[str, str]:
    """Return the providers that know this site, with the name of each."""
    return {one: settings.OTHER_LOG_INS[one] for one in settings.SOCIALACCOUNT_PROVIDERS}


def links(user: User) -> Mapping[str, str]:
    """Return by which of them this person logs in, with the name of each."""
    linked = SocialAccount.objects.filter(user=user).values_list("provider", flat=True)
    return {one: name for one, name in offered().items() if one in set(linked)}


def called(account: SocialAccount) -> str:
    """Return what its owner knows it by."""
    said = account.extra_data
    return str(said.get("login") or said.get("email") or account.uid)


def proves_elsewhere(user: User) -> bool:
    """Say whether this person has neither password nor second step to show who they are."""
    return not get_reauthentication_flows(user)


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Knows the providers of the settings alone, and who may come from them."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return what this site is at the providers; the library's table of them stays empty."""
        known = settings.SOCIALACCOUNT_PROVIDERS
        return [
            SocialApp(provider=one, **known[one]["APP"]) for one in known if provider in (None, one)
        ]

    def get_app(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> SocialApp:
        """Return what this site is at one of them, which leads nowhere where it is not known."""
        for app in self.list_apps(request, provider):
            return app
        raise Http404("Nobody logs in by that here.")

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse what would open or make an account by an address that nobody has proven."""
        name = offered()[sociallogin.account.provider]
        if sociallogin.state.get("process") == "connect":
            user = request.user
            if settings.SENDS_MAIL and isinstance(user, User):
                _check_proven(request, user, name)
            return
        if sociallogin.is_existing:
            return
        proven = [one for one in sociallogin.email_addresses if one.verified]
        if not proven:
            raise _refused(request, name, "unproven")
        email = min(proven, key=lambda one: not one.primary).email.strip().lower()
        if User.objects.filter(email=email).exists() or not assess_unique_email(email):
            raise _refused(request, name, "taken")
        sociallogin.user.email = email
        sociallogin.email_addresses = [EmailAddress(email=email, verified=True, primary=True)]


class Google(GoogleOAuth2Adapter):  # type: ignore[misc]
    """Asks Google who came, over the line that its answer came by.

    The token that it sends as well says the same, and reading it takes one library more.
    """

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any
    ) -> SocialLogin:
        """Return whom Google let in."""
        found = self._fetch_user_info(token.token)
        return self.get_provider().sociallogin_from_response(request, found)


google_came_back: View = OAuth2CallbackView.adapter_view(Google)


def _leading_there(provider: str, view: View) -> View:
    @wraps(view)
    def leave(request: HttpRequest) -> HttpResponse:
        asked = {name: value for name, value in request.GET.items() if name in ASKED}
        request.GET = QueryDict(urlencode(asked))
        response = view(request)
        if response.status_code != 302:
            return response
        # A form may lead to no other site (Content-Security-Policy), and a page may.
        context = {"url": response.headers["Location"], "name": offered()[provider]}
        return render(request, "socialaccount/go.html", context)

    return leave


to_github, to_google = _leading_there("github", _to_github), _leading_there("google", _to_google)


def keep_little(instance: SocialAccount, **_: object) -> None:
    """Keep no more of what a provider says than this site shows."""
    said = instance.extra_data
    instance.extra_data = {name: said[name] for name in KEPT & said.keys()}


def note_link(sociallogin: SocialLogin, **_: object) -> None:
    """Write down that an account was linked, so that its owner is told."""
    note(
        user_id=sociallogin.user.pk,
        kind=AccountEvent.Kind.LOG_IN_LINKED,
        about=f"{offered()[sociallogin.account.provider]} ({called(sociallogin.account)})",
        now=timezone.now(),
    )


def _check_proven(request: HttpRequest, user: User, name: str) -> None:
    # Somebody could sign up with another's address and link their own log-in, which would stay
    # when the address's owner takes the account over by a letter.
    if user.email not in queries.proven_emails(user.pk):
        raise _refused(request, name, "own_unproven")


def _refused(request: HttpRequest, name: str, why: str) -> ImmediateHttpResponse:
    context = {"name": name, "why": why, "sends_mail": settings.SENDS_MAIL}
    return ImmediateHttpResponse(render(request, "socialaccount/refused.html", context, status=409))
