"""What is meant for a person takes no team for one."""

import io
from datetime import datetime
from typing import Any

import pytest
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth import SESSION_KEY
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory

from marketplace.accounts.actions.check_password import check
from marketplace.accounts.adapter import Adapter
from marketplace.accounts.models import User
from marketplace.accounts.teams import email_of
from marketplace.domain.problem import Refused
from marketplace.papers.content import buyer_now
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.teams import team_of


@pytest.fixture
def team(alice: User, bob: User, now: datetime) -> User:
    return team_of(alice, now)


@pytest.mark.parametrize("password", ["", "!", PASSWORD])
def test_no_password_is_a_teams(team: User, now: datetime, password: str) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": team.email, "password": password})
    assert SESSION_KEY not in browser.session
    assert browser.login(email=team.email, password=password) is False
    with pytest.raises(Refused):
        check(email=team.email, password=password, code="", address="1.2.3.4", now=now)


def test_no_other_way_in_opens_a_team(team: User, alice: User) -> None:
    request = RequestFactory().get("/")
    more: dict[str, Any] = {
        "email_verification": "none",
        "signal_kwargs": None,
        "email": None,
        "signup": False,
        "redirect_url": None,
    }
    with pytest.raises(ImmediateHttpResponse):
        Adapter(request).pre_login(request, team, **more)
    assert Adapter(request).pre_login(request, alice, **more) is None


def test_no_command_gives_a_team_a_password(team: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a long new password\n"))
    with pytest.raises(CommandError, match="nobody logs in"):
        call_command("create_account", team.email)


def test_papers_and_cards_name_no_address_of_a_team(team: User, alice: User) -> None:
    buyer = buyer_now(team.pk)
    assert (buyer.name, buyer.email) == ("Acme", "")
    assert (email_of(team.pk), email_of(alice.pk)) == (alice.email, alice.email)
    assert buyer_now(alice.pk).email == alice.email
