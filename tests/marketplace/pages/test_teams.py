"""The pages of teams: who is in one sees it, by their role, and nobody else does."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.actions import invite
from marketplace.accounts.actions.note_team_event import note
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import Invitation, Membership, User
from marketplace.accounts.teams import EVENTS_PAGE, link_token
from marketplace.domain.team import Role
from marketplace.own_data.models import Export
from tests.marketplace.browsers import enter
from tests.marketplace.scene import NOW
from tests.marketplace.teams import acting_for, team_of


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def team(alice: User) -> User:
    prove(user=alice)
    return team_of(alice, NOW)


def joined(team: User, person: User, role: Role) -> None:
    Membership.objects.create(team=team, person=person, role=role, since=NOW)


def test_a_team_is_made_filled_and_closed_by_plain_forms(alice: User, bob: User) -> None:
    for user in (alice, bob):
        prove(user=user)
    browser, bobs = enter(Client(), alice), enter(Client(), bob)
    assert b"Rent together" in browser.get("/teams/").content
    made = browser.post("/teams/", {"name": "Acme"}, follow=True)
    team = User.objects.get(team_name="Acme")
    assert b"Invite somebody" in made.content
    url = f"/teams/{team.pk}/"
    invited = browser.post(url, {"email": bob.email, "role": "member"}, follow=True)
    assert b"bob@example.com is invited" in invited.content
    one = Invitation.objects.get()
    assert b"You are invited" in bobs.get("/teams/").content
    link = f"/teams/join/{link_token(one)}/"
    assert b"invites you as member" in bobs.get(link).content
    assert b"You are in Acme now" in bobs.post(link, {"answer": "join"}, follow=True).content
    assert bobs.get(link).status_code == 404
    browser.post(f"{url}people/{bob.pk}/role", {"role": "billing"})
    assert Membership.objects.get(person=bob).role == "billing"
    assert browser.post(f"{url}name", {"name": "Acme & Co"}).status_code == 302
    log = browser.get(f"{url}log/").content.decode()
    for words in ("made bob@example.com billing", "joined as member", "Acme &amp; Co"):
        assert words in log
    bobs.post(f"{url}leave")
    assert not Membership.objects.filter(person=bob).exists()
    browser.post("/teams/act-for", {"team": team.pk})
    closed = browser.post(f"{url}close/", follow=True)
    assert b"The team is closed" in closed.content
    team.refresh_from_db()
    assert (team.is_active, team.team_name) == (False, "closed team")
    assert browser.get(url).status_code == 403


def test_an_invitation_is_declined_and_nobody_is_told(team: User, alice: User, bob: User) -> None:
    prove(user=bob)
    one = invite.invite(by_id=alice.pk, team_id=team.pk, email=bob.email, role=Role.MEMBER, now=NOW)
    enter(Client(), bob).post(f"/teams/invitations/{one.pk}", {"answer": "decline"})
    assert not Invitation.objects.exists()
    assert Membership.objects.filter(team=team).count() == 1


def test_a_stolen_link_lets_nobody_else_in(team: User, alice: User, bob: User) -> None:
    one = invite.invite(
        by_id=alice.pk, team_id=team.pk, email="carol@example.com", role=Role.OWNER, now=NOW
    )
    link = f"/teams/join/{link_token(one)}/"
    assert Client().get(link).headers["Location"].startswith("/accounts/login/?next=")
    prove(user=bob)
    for told in ({}, {"answer": "join"}):
        assert enter(Client(), bob).post(link, told).status_code == 404
    enter(Client(), bob).post(f"/teams/invitations/{one.pk}", {"answer": "join"})
    assert not Membership.objects.filter(person=bob).exists()
    assert Invitation.objects.exists()


WAYS = (
    ("GET", "", {}),
    ("POST", "", {"email": "bob@example.com", "role": "owner"}),
    ("GET", "log/", {}),
    ("POST", "name", {"name": "Mine"}),
    ("GET", "close/", {}),
    ("POST", "close/", {}),
    ("GET", "data/", {}),
    ("POST", "data/", {}),
    ("GET", "data/{export}.zip", {}),
    ("POST", "people/{alice}/role", {"role": "member"}),
    ("POST", "people/{alice}/remove", {}),
    ("POST", "people/{bob}/role", {"role": "owner"}),
    ("POST", "invitations/{invitation}/take-back", {}),
)


@pytest.mark.parametrize("role", [None, Role.MANAGER, Role.MEMBER, Role.BILLING])
def test_who_is_no_owner_gets_nothing_of_an_owners(
    team: User, alice: User, bob: User, role: Role | None
) -> None:
    one = invite.invite(
        by_id=alice.pk, team_id=team.pk, email="carol@example.com", role=Role.OWNER, now=NOW
    )
    export = Export.objects.create(user=team, asked_at=NOW, ready_at=NOW, content=b"zip")
    if role:
        joined(team, bob, role)
    browser, visitor = enter(Client(), bob), Client()
    found = {"alice": alice.pk, "bob": bob.pk, "invitation": one.pk, "export": export.pk}
    for method, below, told in WAYS:
        path = f"/teams/{team.pk}/{below.format(**found)}"
        sees = role is not None and (method, below) == ("GET", "")
        invites = role is not None and (method, below) == ("POST", "")
        wanted = 200 if sees else 422 if invites else 403
        reply = browser.post(path, told) if method == "POST" else browser.get(path)
        assert reply.status_code == wanted, path
        asked = visitor.post(path, told) if method == "POST" else visitor.get(path)
        assert asked.headers["Location"].startswith("/accounts/login/")
    team.refresh_from_db()
    assert team.team_name == "Acme"
    assert Membership.objects.get(person=alice).role == "owner"
    assert Invitation.objects.count() == 1
    assert Export.objects.count() == 1


def test_the_last_owner_does_not_leave(team: User, alice: User) -> None:
    browser = enter(Client(), alice)
    page = browser.post(f"/teams/{team.pk}/leave", follow=True).content.decode()
    assert "make somebody else one first, or close the team" in page
    assert Membership.objects.get().person == alice


def test_what_opens_a_team_asks_who_they_are_first(team: User, alice: User) -> None:
    browser = enter(Client(), alice, ago_s=100_000)
    url = f"/teams/{team.pk}/"
    for below in ("", "name", "close/", "data/", f"people/{alice.pk}/role"):
        reply = browser.post(url + below, {"email": "x@example.com", "role": "owner"})
        assert reply.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not Invitation.objects.exists()


def test_an_export_is_its_teams_alone(team: User, alice: User, bob: User) -> None:
    browser = enter(Client(), alice)
    other = team_of(bob, NOW)
    export = Export.objects.create(user=team, asked_at=NOW, ready_at=NOW, content=b"zip")
    assert browser.get(f"/teams/{team.pk}/data/{export.pk}.zip").content == b"zip"
    bobs = enter(Client(), bob)
    assert bobs.get(f"/teams/{other.pk}/data/{export.pk}.zip").status_code == 404
    assert browser.get(f"/teams/{team.pk}/data/{uuid4()}.zip").status_code == 404
    browser.post(f"/teams/{team.pk}/data/")
    assert Export.objects.filter(user=team).count() == 2


def test_the_log_comes_in_pages_and_asks_as_much_for_many(team: User, alice: User) -> None:
    browser = enter(Client(), alice)
    url = f"/teams/{team.pk}/log/"
    browser.get(url)
    with CaptureQueriesContext(connection) as few:
        browser.get(url)
    for number in range(EVENTS_PAGE + 1):
        note(team_id=team.pk, by_id=alice.pk, kind="did", about=f"POST /x/{number}", now=NOW)
    with CaptureQueriesContext(connection) as many:
        page = browser.get(url)
    assert len(many) == len(few)
    assert len(page.context["lines"]) == EVENTS_PAGE
    rest = browser.get(f"{url}?before={page.context['older']}")
    assert len(rest.context["lines"]) == 2
    assert browser.get(f"{url}?before=x").status_code == 200


def test_lists_of_people_and_teams_ask_as_much_for_many(team: User, alice: User) -> None:
    browser = enter(Client(), alice)
    counts = []
    for few in (True, False):
        for path in ("/teams/", f"/teams/{team.pk}/"):
            browser.get(path)
            with CaptureQueriesContext(connection) as found:
                browser.get(path)
            counts.append(len(found))
        if few:
            for number in range(18):
                person = User.objects.create_user(f"p{number}@example.com")
                joined(team, person, Role.MEMBER)
                other = User.objects.create_user(f"t{number}@teams.invalid", team_name="T")
                joined(other, alice, Role.MEMBER)
    assert counts[:2] == counts[2:]


def test_acting_for_a_team_changes_nothing_of_its_pages(team: User, alice: User, bob: User) -> None:
    joined(team, bob, Role.MEMBER)
    browser = acting_for(team, bob)
    assert browser.get(f"/teams/{team.pk}/").context["user"] == bob
    assert browser.post("/teams/", {"name": "Bobs"}).status_code == 302
    assert Membership.objects.get(team__team_name="Bobs").person == bob
