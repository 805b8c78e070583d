"""Somebody who acts for a team sees and does what is the team's, by their role, and no more."""

from collections.abc import Callable

import pytest
from allauth.account import app_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.acting import CHOSEN
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import ApiKey, Membership, SshKey, TeamEvent, User
from marketplace.accounts.teams import TeamUnknown
from marketplace.console.actions.shut_out import shut_out_all
from marketplace.domain.team import Role
from marketplace.own_data.actions.delete_account import delete
from marketplace.placements.workload import Parts
from marketplace.rentals.actions import let_go
from marketplace.rentals.models import Rental
from marketplace.templates.actions import save
from tests.marketplace.browsers import enter
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import ALICES_KEY, Market, give_key
from tests.marketplace.scene import NOW, after
from tests.marketplace.teams import acting_for, team_of

LONG_AGO_S = app_settings.REAUTHENTICATION_TIMEOUT + 1
#: of each area of the market, a page that is one's own
PAGES = ("/rentals/", "/volumes/", "/endpoints/", "/templates/", "/keys/", "/api-keys/")
PAGES += ("/notices/", "/web-hooks/", "/money/", "/money/invoices/", "/money/limits/")


@pytest.fixture
def team(alice: User, give: Callable[..., None]) -> User:
    """Alice's team, which has twenty dollars."""
    team = team_of(alice, NOW)
    give(team, 20_000_000)
    return team


@pytest.fixture
def rental(market: Market, team: User) -> Rental:
    give_key(team)
    rental = market.rent(team)
    market.run(rental, at=after(2))
    return rental


def joined(team: User, person: User, role: Role) -> None:
    Membership.objects.create(team=team, person=person, role=role, since=NOW)


def test_the_market_is_the_teams_and_the_account_ones_own(
    market: Market, team: User, alice: User, rental: Rental
) -> None:
    browser = enter(Client(), alice)
    assert browser.get(f"/rentals/{rental.pk}/").status_code == 404
    browser.post("/teams/act-for", {"team": team.pk})
    page = browser.get(f"/rentals/{rental.pk}/").content.decode()
    assert "You act for" in page
    assert browser.get("/money/").context["user"] == team
    for path in ("/accounts/email/", "/teams/"):
        assert browser.get(path).context["user"] == alice
    assert b"This page is your own" in browser.get("/teams/").content
    browser.post("/teams/act-for", {"team": ""})
    assert browser.get(f"/rentals/{rental.pk}/").status_code == 404
    assert "You act for" not in browser.get("/rentals/").content.decode()


def test_keys_that_are_made_are_the_teams_and_say_by_whom(team: User, alice: User) -> None:
    browser = acting_for(team, alice)
    browser.post("/api-keys/", {"name": "ci"})
    browser.post("/keys/", {"name": "laptop", "public_key": ALICES_KEY})
    key, ssh_key = ApiKey.objects.get(), SshKey.objects.get()
    assert (key.user, key.made_by) == (team, alice)
    assert (ssh_key.user, ssh_key.added_by) == (team, alice)
    assert b"by alice@example.com" in browser.get("/api-keys/").content
    about = [one.about for one in TeamEvent.objects.filter(kind="did").order_by("id")]
    assert about == ["POST /api-keys/", "POST /keys/ /keys/"]


@pytest.mark.parametrize(
    ("role", "opened", "refused"),
    [
        (Role.MANAGER, PAGES, ("/host/",)),
        (Role.MEMBER, PAGES, ("/host/",)),
        (Role.BILLING, PAGES[4:], (*PAGES[:4], "/host/")),
    ],
)
def test_a_role_opens_its_pages_alone(
    team: User, bob: User, role: Role, opened: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    joined(team, bob, role)
    browser = acting_for(team, bob)
    assert {path: browser.get(path).status_code for path in opened} == dict.fromkeys(opened, 200)
    for path in refused:
        reply = browser.get(path)
        assert reply.status_code == 403
        assert "act for yourself" in reply.content.decode()


@pytest.mark.parametrize(("role", "sees"), [(Role.MEMBER, True), (Role.BILLING, False)])
def test_a_search_names_a_teams_templates_to_those_who_may_see_them(
    team: User, bob: User, role: Role, sees: bool
) -> None:
    joined(team, bob, role)
    asked: Parts = {"image": "debian:12", "command": (), "environment": {}, "ports": ()}
    save.save(owner_id=team.pk, name="acquire-acme", parts=asked, note="", public=False, now=NOW)
    browser = acting_for(team, bob)
    assert (b"acquire-acme" in browser.get("/offers/").content) == sees
    chosen = browser.get("/offers/?template=acquire-acme").context
    assert (chosen["template"] is not None) == sees


@pytest.mark.parametrize(
    ("role", "path", "told"),
    [
        (Role.MEMBER, "/api-keys/", {"name": "ci"}),
        (Role.MEMBER, "/web-hooks/", {"url": "https://example.com/berth"}),
        (Role.MEMBER, "/money/limits/", {"day": "1", "month": ""}),
        (Role.MANAGER, "/money/limits/", {"day": "1", "month": ""}),
        (Role.MANAGER, "/money/automatic/off", {}),
        (Role.BILLING, "/keys/", {"name": "x", "public_key": ALICES_KEY}),
        (Role.BILLING, "/api-keys/", {"name": "ci"}),
        (Role.OWNER, "/host/tokens", {}),
    ],
)
def test_a_role_does_nothing_that_it_does_not_hold(
    team: User, bob: User, role: Role, path: str, told: dict[str, str]
) -> None:
    joined(team, bob, role)
    assert acting_for(team, bob).post(path, told).status_code == 403
    assert not ApiKey.objects.exists()
    assert not SshKey.objects.exists()
    assert not TeamEvent.objects.filter(kind="did").exists()


def test_a_billing_role_ends_and_rents_nothing(
    market: Market, team: User, bob: User, rental: Rental
) -> None:
    joined(team, bob, Role.BILLING)
    browser = acting_for(team, bob)
    assert browser.post(f"/rentals/{rental.pk}/end").status_code == 403
    assert browser.post(f"/offers/{market.offer.pk}/rent", {}).status_code == 403
    assert browser.get(f"/rentals/{rental.pk}/panel").status_code == 403


def test_who_is_let_go_acts_no_more_and_is_told(team: User, alice: User, bob: User) -> None:
    joined(team, bob, Role.MEMBER)
    browser = acting_for(team, bob)
    assert browser.get("/rentals/").status_code == 200
    Membership.objects.filter(person=bob).delete()
    refused = browser.get("/rentals/")
    assert (refused.status_code, TeamUnknown.sentence) == (403, refused.context["sentence"])
    assert CHOSEN not in browser.session
    assert browser.get("/rentals/").context["user"] == bob


@pytest.mark.parametrize("shut", ["team", "person"])
def test_who_is_shut_out_acts_no_more(team: User, alice: User, shut: str) -> None:
    browser = acting_for(team, alice)
    pk = team.pk if shut == "team" else alice.pk
    User.objects.filter(pk=pk).update(is_active=False)
    assert browser.get("/keys/").status_code in (302, 403)
    assert browser.post("/keys/", {"name": "x", "public_key": ALICES_KEY}).status_code in (200, 302)
    assert not SshKey.objects.filter(user=team).exists()


def test_nobody_chooses_a_team_that_they_are_not_in(team: User, bob: User) -> None:
    browser = enter(Client(), bob)
    for wanted in (str(team.pk), str(bob.pk), "0", "9" * 30, "x", "-1"):
        assert browser.post("/teams/act-for", {"team": wanted}).status_code == 403
        assert CHOSEN not in browser.session
    assert browser.get("/teams/act-for", {"team": team.pk}).status_code == 405
    assert Client().post("/teams/act-for", {"team": team.pk}).status_code == 302
    session = browser.session
    session[CHOSEN] = team.pk
    session.save()
    assert browser.get("/money/").status_code == 403


def test_another_site_switches_nobody_and_old_forms_act_for_nobody(team: User, alice: User) -> None:
    browser = enter(Client(enforce_csrf_checks=True), alice)
    assert browser.post("/teams/act-for", {"team": team.pk}).status_code == 403
    browser.get("/teams/")
    old = browser.cookies["csrftoken"].value
    sent = {"team": team.pk, "csrfmiddlewaretoken": old}
    assert browser.post("/teams/act-for", sent).status_code == 302
    late = {"name": "ci", "csrfmiddlewaretoken": old}
    assert browser.post("/api-keys/", late).status_code == 403
    assert not ApiKey.objects.exists()


def test_who_they_are_is_asked_of_the_person_and_then_done_for_the_team(
    team: User, alice: User
) -> None:
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    browser.post("/teams/act-for", {"team": team.pk})
    asked = browser.post("/api-keys/", {"name": "ci"})
    assert asked.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert not ApiKey.objects.exists()
    done = browser.post(asked.headers["Location"], {"password": PASSWORD})
    assert done.status_code == 200
    assert (ApiKey.objects.get().user, ApiKey.objects.get().made_by) == (team, alice)


def test_what_was_asked_for_one_is_not_done_for_another(team: User, alice: User) -> None:
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    asked = browser.post("/api-keys/", {"name": "ci"})
    browser.post("/teams/act-for", {"team": team.pk})
    browser.post(asked.headers["Location"], {"password": PASSWORD})
    assert not ApiKey.objects.exists()


def test_a_role_that_was_lost_meanwhile_does_nothing_that_waited(team: User, bob: User) -> None:
    joined(team, bob, Role.OWNER)
    browser = enter(Client(), bob, ago_s=LONG_AGO_S)
    browser.post("/teams/act-for", {"team": team.pk})
    asked = browser.post("/api-keys/", {"name": "ci"})
    Membership.objects.filter(person=bob).update(role=Role.MEMBER)
    assert browser.post(asked.headers["Location"], {"password": PASSWORD}).status_code == 403
    assert not ApiKey.objects.exists()


def test_acting_for_a_team_asks_the_database_once_more(team: User, alice: User) -> None:
    mine, theirs = enter(Client(), alice), acting_for(team, alice)
    for path in ("/money/", "/keys/", "/notices/", "/offers/"):
        counts = []
        for browser in (mine, theirs):
            browser.get(path)
            with CaptureQueriesContext(connection) as found:
                assert browser.get(path).status_code == 200
            counts.append(len(found))
        assert counts[1] <= counts[0] + 1


def test_keys_of_who_is_let_go_open_no_rental_that_runs(
    market: Market, team: User, alice: User, bob: User, rental: Rental
) -> None:
    joined(team, bob, Role.MEMBER)
    lines = list(rental.placement.authorized_keys)
    SshKey.objects.filter(user=team).update(added_by=bob)
    let_go.let_go(by_id=alice.pk, team_id=team.pk, person_id=bob.pk, now=NOW)
    rental.placement.refresh_from_db()
    assert lines
    assert rental.placement.authorized_keys == []
    assert not SshKey.objects.exists()


def test_a_key_that_was_taken_off_the_list_first_ends_too(
    market: Market, team: User, alice: User, bob: User, rental: Rental
) -> None:
    joined(team, bob, Role.MEMBER)
    SshKey.objects.all().delete()
    let_go.let_go(by_id=alice.pk, team_id=team.pk, person_id=bob.pk, now=NOW)
    rental.placement.refresh_from_db()
    assert rental.placement.authorized_keys == []


def test_whoever_rents_no_more_opens_nothing_that_runs(
    market: Market, team: User, alice: User, bob: User, rental: Rental
) -> None:
    joined(team, bob, Role.MEMBER)
    SshKey.objects.filter(user=team).update(added_by=bob)
    browser = acting_for(team, alice)
    for role, left in ((Role.MANAGER, 1), (Role.BILLING, 0)):
        browser.post(f"/teams/{team.pk}/people/{bob.pk}/role", {"role": role.value})
        assert Membership.objects.get(person=bob).role == role
        rental.placement.refresh_from_db()
        assert len(rental.placement.authorized_keys) == left
        assert SshKey.objects.filter(user=team).count() == left


def test_keys_of_who_is_shut_out_open_nothing_that_the_team_runs(
    market: Market, team: User, bob: User, rental: Rental
) -> None:
    joined(team, bob, Role.MEMBER)
    SshKey.objects.filter(user=team).update(added_by=bob)
    assert shut_out_all(now=NOW) == 0
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert [shut_out_all(now=NOW), shut_out_all(now=NOW)] == [1, 0]
    rental.placement.refresh_from_db()
    assert rental.placement.authorized_keys == []
    assert rental.placement.stop_requested_at is None


def test_whoever_deletes_their_account_opens_nothing_that_runs(
    market: Market, team: User, alice: User, bob: User, rental: Rental
) -> None:
    joined(team, bob, Role.MANAGER)
    SshKey.objects.filter(user=team).update(added_by=bob)
    issue(user_id=team.pk, name="ci", made_by_id=bob.pk, now=NOW)
    delete(user_id=bob.pk, now=NOW)
    rental.placement.refresh_from_db()
    assert rental.placement.authorized_keys == []
    assert not Membership.objects.filter(person=bob).exists()
    # What is rented by it keeps its limit.
    assert ApiKey.objects.get(name="ci").revoked_at is not None
    assert TeamEvent.objects.filter(kind="left", by=bob).exists()


def test_the_log_holds_what_was_done_and_no_question(
    market: Market, team: User, alice: User, rental: Rental
) -> None:
    browser = acting_for(team, alice)
    rent = rent_url(market)
    form = filled(browser.get(rent), intent="quote")
    assert browser.post(rent, form).status_code == 200
    secret = issue(user_id=team.pk, name="ci", made_by_id=alice.pk, now=NOW).secret
    asked = Client().post(
        f"/api/v1/rentals/{rental.pk}/logs",
        {"tail": 5},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert asked.status_code < 400
    assert not TeamEvent.objects.filter(kind="did").exists()


def test_the_log_says_who_rented_and_leads_there(
    market: Market, team: User, alice: User, rental: Rental
) -> None:
    browser = acting_for(team, alice)
    browser.post(f"/rentals/{rental.pk}/stop")
    page = browser.get(f"/teams/{team.pk}/log/").content.decode()
    assert "stopped a rental" in page
    assert f'href="/rentals/{rental.pk}/"' in page
