"""This will tell the library that logs people in what this site knows better."""

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from marketplace.accounts.acting import person_of
from marketplace.accounts.asked_again import ask
from marketplace.accounts.client_address import client_address
from marketplace.accounts.models import User
from marketplace.accounts.other_log_ins import proves_elsewhere
from marketplace.domain.features import Feature
from marketplace.oversight import switches

logger = logging.getLogger(__name__)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Its remaining limits count the same addresses as ours."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Say whether anybody may make an account now, by whatever way."""
        return not switches.is_off(Feature.SIGN_UPS)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that a request counts for."""
        return client_address(request)

    def send_confirmation_mail(self, request: HttpRequest, confirmation: Any, signup: bool) -> None:  # noqa: FBT001
        """Send the letter that proves an address; who signs up has an account without it, too."""
        try:
            super().send_confirmation_mail(request, confirmation, signup)
        except OSError:
            if not signup:
                raise
            logger.exception("Letter of a sign-up not sent")

    def pre_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse | None:
        """Let nobody in as a team, by whatever way."""
        if user.is_team:
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login")))
        answer: HttpResponse | None = super().pre_login(request, user, **more)
        return answer

    def is_reauthentication_required(self, *, app: str, **more: object) -> bool:
        """Say whether they are asked again; whoever has no password has logged in lately.

        The library would let these do anything with an open session.

        :raises ReauthenticationRequired: when that was long ago.
        """
        user = person_of(context.request)
        if isinstance(user, User) and proves_elsewhere(user):
            ask(context.request)
        required: bool = super().is_reauthentication_required(app=app, **more)
        return required

    def get_reauthentication_methods(self, user: object) -> list[dict[str, str]]:
        """Return how they show who they are; without password and second step, by a log-in."""
        # A page of the market knows the team that they act for, which proves nothing.
        user = person_of(context.request)
        methods: list[dict[str, str]] = super().get_reauthentication_methods(user)
        if not methods and isinstance(user, User):
            again = {"id": "log_in", "description": "Log in again", "url": reverse("log-in-again")}
            return [again]
        return methods
