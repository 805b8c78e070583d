"""A terminal of a team's rental is for the team that the session acts for, by who may rent."""

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.accounts.acting import CHOSEN
from marketplace.accounts.log_ins import Visitor
from marketplace.accounts.models import Membership, User
from marketplace.domain.team import Role
from marketplace.terminals import standing
from marketplace.terminals.visitor import of_session
from tests.marketplace.browsers import enter
from tests.marketplace.teams import acting_for, team_of


@pytest.fixture
def team(alice: User, bob: User) -> User:
    return team_of(alice, timezone.now(), bob=(bob, Role.MEMBER))


def cookie(browser: Client) -> str:
    return browser.cookies["sessionid"].value


def test_it_is_for_the_team_that_the_session_acts_for(team: User, bob: User) -> None:
    browser = acting_for(team, bob)
    found = of_session(cookie(browser))
    assert found == Visitor(user_id=team.pk, person_id=bob.pk, login=cookie(browser))
    browser.post("/teams/act-for", {"team": ""})
    own = of_session(cookie(browser))
    assert own is not None
    assert own.user_id == bob.pk


def test_a_role_that_rents_nothing_opens_none(team: User, bob: User) -> None:
    browser = acting_for(team, bob)
    Membership.objects.filter(person=bob).update(role=Role.BILLING)
    assert of_session(cookie(browser)) is None


def test_a_session_that_names_a_team_of_others_opens_none(team: User, charlie: User) -> None:
    browser = enter(Client(), charlie)
    session = browser.session
    session[CHOSEN] = team.pk
    session.save()
    assert of_session(cookie(browser)) is None


def test_a_process_counts_by_person_and_by_team(
    team: User, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "OPEN_A_PERSON_MAX", 1)
    monkeypatch.setattr(standing, "OPEN_A_TEAM_MAX", 2)
    monkeypatch.setattr(standing, "UNHEARD_A_PERSON_MAX", 1)
    hall = standing.Hall()
    of_alice, of_bob = (Visitor(team.pk, one.pk, "") for one in (alice, bob))
    with hall.holding(of_alice), hall.hearing(of_alice):
        assert hall.is_full(of_alice)
        assert hall.is_full(Visitor(alice.pk, alice.pk, ""))
        assert hall.is_crowded(of_alice)
        assert not hall.is_full(of_bob)
        assert not hall.is_crowded(of_bob)
        with hall.holding(of_bob):
            assert hall.is_full(Visitor(team.pk, -1, ""))
            assert not hall.is_full(Visitor(-1, -1, ""))
    assert not hall.is_full(of_alice)
