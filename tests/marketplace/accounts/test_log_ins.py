"""Who is logged in by a session, as long as nothing of it is lost."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from marketplace.accounts import log_ins
from marketplace.accounts.log_ins import Visitor
from marketplace.accounts.models import Membership, User
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role
from tests.marketplace.browsers import enter
from tests.marketplace.teams import acting_for, team_of


@pytest.fixture
def team(alice: User, bob: User) -> User:
    return team_of(alice, timezone.now(), bob=(bob, Role.MEMBER))


def cookie(browser: Client) -> str:
    return browser.cookies["sessionid"].value


def of(browser: Client) -> Visitor:
    return log_ins.visitors([cookie(browser)])[cookie(browser)]


def is_still(one: Visitor, asked: Scope = Scope.RENTALS_WRITE) -> bool:
    return log_ins.still([one], asked) == {one}


@pytest.mark.parametrize("named", ["\0", '"\\000"', "x" * 41, "ſ" * 32, "'; --", ""])
def test_what_is_no_session_is_looked_up_nowhere(named: str) -> None:
    headers = [(b"host", b"localhost"), (b"cookie", f"sessionid={named}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    assert log_ins.login_of(log_ins.request_of(scope)) == ""


def test_whom_they_act_for_later_is_another_matter(team: User, bob: User) -> None:
    browser = acting_for(team, bob)
    found = of(browser)
    assert found == Visitor(user_id=team.pk, person_id=bob.pk, login=cookie(browser))
    browser.post("/teams/act-for", {"team": ""})
    assert of(browser).user_id == bob.pk
    assert is_still(found)


@pytest.mark.parametrize(
    "lost", ["membership", "role", "team", "person", "log-in", "password", "time", "way in"]
)
def test_it_ends_with_what_it_came_from(
    team: User, bob: User, settings: Settings, lost: str
) -> None:
    browser = acting_for(team, bob)
    found = of(browser)
    assert is_still(found)
    if lost == "membership":
        Membership.objects.filter(person=bob).delete()
    elif lost == "role":
        Membership.objects.filter(person=bob).update(role=Role.BILLING)
    elif lost == "team":
        User.objects.filter(pk=team.pk).update(is_active=False)
    elif lost == "person":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    elif lost == "log-in":
        browser.logout()
    elif lost == "password":
        bob.set_password("another one")
        bob.save()
    elif lost == "time":
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    else:
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
        log_ins._claim.cache_clear()
    assert not is_still(found)
    log_ins._claim.cache_clear()


def test_a_role_is_asked_for_what_it_is_for(team: User, bob: User) -> None:
    found = of(acting_for(team, bob))
    assert is_still(found, Scope.RENTALS_READ)
    assert not is_still(found, Scope.MONEY_WRITE)


def test_a_session_is_nobody_elses(alice: User, bob: User) -> None:
    login = cookie(enter(Client(), alice))
    assert not is_still(Visitor(user_id=bob.pk, person_id=bob.pk, login=login))


@pytest.mark.django_db
def test_who_is_not_logged_in_is_nobody() -> None:
    browser = Client()
    Session.objects.create(
        session_key="forged", session_data="e30:x:y", expire_date=timezone.now() + timedelta(days=1)
    )
    browser.get("/accounts/login/")
    assert log_ins.visitors(["", "none", "forged"]) == {}


@pytest.mark.parametrize("count", [1, 9])
def test_many_are_looked_at_as_one(
    team: User, bob: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    logins = [cookie(acting_for(team, bob)) for _ in range(count)]
    with django_assert_num_queries(2):
        found = log_ins.visitors(logins)
    assert len(found) == count
    with django_assert_num_queries(3):
        assert log_ins.still(found.values(), Scope.RENTALS_READ) == set(found.values())
