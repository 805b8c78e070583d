"""Teams of the tests, and browsers that act for them."""

from datetime import datetime

from django.test import Client

from marketplace.accounts.acting import CHOSEN
from marketplace.accounts.actions import make_team
from marketplace.accounts.models import Membership, User
from marketplace.domain.team import Role
from tests.marketplace.browsers import enter


def team_of(owner: User, now: datetime, **others: tuple[User, Role]) -> User:
    """Return a team that this person owns, with others in it by their roles."""
    team = make_team.make(person_id=owner.pk, name="Acme", now=now)
    for person, role in others.values():
        Membership.objects.create(team=team, person=person, role=role, since=now)
    return team


def acting_for(team: User, person: User) -> Client:
    """Return a browser in which this person has just logged in and chosen the team."""
    browser = enter(Client(), person)
    browser.post("/teams/act-for", {"team": team.pk})
    assert browser.session[CHOSEN] == team.pk
    return browser
