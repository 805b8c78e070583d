"""Staff find a team, see who is in it and ban it; nobody takes it for a person."""

from datetime import datetime

import pytest

from marketplace.accounts import teams
from marketplace.accounts.models import User
from marketplace.console.actions.ban import ban, lift
from marketplace.console.actions.prove_email import prove
from marketplace.console.actions.set_roles import NobodyThere, set_roles
from marketplace.console.staff import OwnCase, Staff
from marketplace.domain.oversight import Role
from marketplace.domain.team import Role as InTeam
from marketplace.notices.models import Notice
from tests.marketplace import staffed
from tests.marketplace.teams import acting_for, team_of


@pytest.fixture
def team(alice: User, bob: User, now: datetime) -> User:
    return team_of(alice, now, bob=(bob, InTeam.BILLING))


def admin() -> Staff:
    user = staffed.staff("ada", Role.ADMIN)
    return Staff(user.pk, user.email, frozenset({Role.ADMIN}))


def test_a_team_is_found_by_its_name_with_who_is_in_it(team: User, alice: User) -> None:
    desk = staffed.browser(staffed.staff("sue", Role.SUPPORT))
    found = desk.get("/console/people/?q=ac").content.decode()
    assert f'href="/console/people/{team.pk}/"' in found
    assert "teams.invalid" not in desk.get("/console/people/").content.decode()
    page = desk.get(f"/console/people/{team.pk}/").content.decode()
    for shown in ("Acme", "a team: nobody logs in as it", alice.email, "billing"):
        assert shown in page
    assert "teams.invalid" not in page
    theirs = desk.get(f"/console/people/{alice.pk}/").content.decode()
    assert f'<a href="/console/people/{team.pk}/">Acme</a>, owner' in theirs


def test_a_team_has_no_role_and_no_address_to_prove(team: User, now: datetime) -> None:
    by = admin()
    with pytest.raises(NobodyThere):
        set_roles(by=by, email=team.email, roles=[Role.ADMIN], reason="x", now=now)
    with pytest.raises(NobodyThere):
        prove(by=by, user_id=team.pk, reason="x", now=now)


def test_nobody_acts_for_a_team_that_is_banned(team: User, alice: User, now: datetime) -> None:
    by, browser = admin(), acting_for(team, alice)
    ban(by=by, user_id=team.pk, reason="Abuse", now=now)
    assert browser.get("/rentals/").status_code == 403
    assert browser.get("/rentals/").context["user"] == alice
    assert b"banned" in browser.get("/teams/").content
    assert Notice.objects.get(user=team).kind == "account_banned"
    own = Staff(alice.pk, alice.email, frozenset({Role.ADMIN}))
    with pytest.raises(OwnCase):
        lift(by=own, user_id=team.pk, reason="We are fine", now=now)
    lift(by=by, user_id=team.pk, reason="Mended", now=now)
    assert teams.acting(alice.pk, team.pk).team == team
