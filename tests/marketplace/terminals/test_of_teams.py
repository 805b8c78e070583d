"""A terminal of a team's rental lasts as long as who opened it is in the team, and may rent."""

from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.accounts.acting import CHOSEN
from marketplace.accounts.models import Membership, User
from marketplace.accounts.teams import TeamUnknown
from marketplace.domain.team import Role
from marketplace.pages.views.rental_events import _view
from marketplace.rentals.queries import RentalUnknown
from marketplace.terminals import standing
from marketplace.terminals.visitor import Visitor, of_session, still
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
    assert still(found)
    # Whom they act for by now is another matter: this one was opened before.
    browser.post("/teams/act-for", {"team": ""})
    assert still(found)
    own = of_session(cookie(browser))
    assert own is not None
    assert own.user_id == bob.pk


@pytest.mark.parametrize("lost", ["membership", "role", "team", "log-in"])
def test_it_ends_with_what_opened_it(team: User, bob: User, lost: str) -> None:
    browser = acting_for(team, bob)
    found = of_session(cookie(browser))
    assert found is not None
    if lost == "membership":
        Membership.objects.filter(person=bob).delete()
    elif lost == "role":
        Membership.objects.filter(person=bob).update(role=Role.BILLING)
    elif lost == "team":
        User.objects.filter(pk=team.pk).update(is_active=False)
    else:
        browser.logout()
    assert not still(found)
    assert of_session(found.login) is None


def test_a_session_that_names_a_team_of_others_opens_none(team: User, charlie: User) -> None:
    browser = enter(Client(), charlie)
    session = browser.session
    session[CHOSEN] = team.pk
    session.save()
    assert of_session(cookie(browser)) is None


def test_a_stream_looks_at_the_membership_each_time(team: User, bob: User) -> None:
    with pytest.raises(RentalUnknown):
        _view(uuid4(), team.pk, bob.pk)
    Membership.objects.filter(person=bob).delete()
    with pytest.raises(TeamUnknown):
        _view(uuid4(), team.pk, bob.pk)


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
