"""Whoever is banned comes in no more and runs nothing; what they have stays theirs."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import User
from marketplace.accounts.queries import NOWHERE
from marketplace.console.actions.ban import BannedAlready, NotBanned, WorksHere, ban, lift
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.actions.shut_out import shut_out_all
from marketplace.console.models import Ban
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.notices import ALWAYS_WRITTEN
from marketplace.domain.oversight import Role
from marketplace.ledger import queries as ledger
from marketplace.machines.actions.enrol import HostBanned, enrol
from marketplace.machines.actions.issue_token import issue_token
from marketplace.notices.models import Notice
from marketplace.offers.models import Offer
from marketplace.oversight.models import Act
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from tests.marketplace import scene
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import enrol_request
from tests.marketplace.staffed import browser, staff

NOW = scene.NOW


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 10_000_000)
    give_key(alice)
    return market.rent(alice)


def state(rental: Rental) -> tuple[str, str]:
    return Placement.objects.values_list("state", "reason_code").get(rental=rental)


def test_whoever_is_banned_comes_in_no_more(as_admin: Client, alice: User, rental: Rental) -> None:
    inside = browser(alice, method="password")
    key = issue_api_key.issue(user_id=alice.pk, name="k", now=NOW).secret
    header = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    assert Client().get("/api/v1/me", **header).status_code == 200
    as_admin.post(f"/console/people/{alice.pk}/ban", {"reason": "It mined coins."})
    assert inside.get("/rentals/").status_code == 302
    assert Client().get("/api/v1/me", **header).status_code == 401
    sent = {"login": alice.email, "password": PASSWORD}
    reply = Client().post("/accounts/login/", sent, follow=True)
    assert "It was banned" in reply.content.decode()
    asked = {"email": alice.email, "password": PASSWORD}
    reply = Client().post("/api/v1/auth/key", asked, content_type="application/json")
    assert reply.status_code == 401


def test_what_somebody_banned_rents_stops_and_they_are_told_why(
    by: Staff, alice: User, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    before = ledger.balance(alice.pk)
    ban(by=by, user_id=alice.pk, reason="It mined coins.", now=scene.after(2))
    assert state(rental) == ("stopping", "account_banned")
    assert ledger.balance(alice.pk) == before
    notice = Notice.objects.get(kind="account_banned")
    assert notice.user == alice
    assert notice.text.startswith("It mined coins. ")
    assert "account_banned" in ALWAYS_WRITTEN
    act = Act.objects.get()
    assert (act.kind, act.person, act.reason) == ("ban", alice, "It mined coins.")
    # No address: the log is never changed, not when the account is deleted either.
    assert act.subject == f"person {alice.pk}"


def test_a_pass_stops_what_began_beside_the_ban(
    by: Staff, alice: User, rental: Rental, market: Market
) -> None:
    ban(by=by, user_id=alice.pk, reason="x", now=NOW)
    other = market.rent(alice, idempotency_key="late")
    assert shut_out_all(now=NOW) == 1
    assert state(other)[1] == "account_banned"
    assert shut_out_all(now=NOW) == 0


def test_a_pass_stops_what_began_beside_the_deletion_of_its_account(
    alice: User, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    assert shut_out_all(now=scene.after(2)) == 0
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert shut_out_all(now=scene.after(3)) == 1
    assert state(rental)[0] == "stopping"
    assert shut_out_all(now=scene.after(4)) == 0


def test_others_rent_on_and_a_banned_hosts_machines_take_nobody_new(
    by: Staff, charlie: User, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    ban(by=by, user_id=charlie.pk, reason="x", now=scene.after(2))
    assert state(rental)[0] == "running"
    assert not Offer.objects.filter(listed=True).exists()
    Offer.objects.update(listed=True)
    shut_out_all(now=scene.after(3))
    assert not Offer.objects.filter(listed=True).exists()


def test_a_banned_host_enrols_nothing_new(by: Staff, charlie: User, market: Market) -> None:
    token = issue_token(host_id=charlie.pk, now=NOW).token
    ban(by=by, user_id=charlie.pk, reason="x", now=NOW)
    with pytest.raises(HostBanned):
        enrol(request=enrol_request(Ed25519PrivateKey.generate(), token), now=scene.NOW)


def test_a_lifted_ban_lets_them_in_and_starts_nothing(
    as_admin: Client, by: Staff, alice: User, rental: Rental
) -> None:
    ban(by=by, user_id=alice.pk, reason="x", now=NOW)
    page = as_admin.get(f"/console/people/{alice.pk}/").content.decode()
    assert "Lift the ban" in page
    as_admin.post(f"/console/people/{alice.pk}/lift", {"reason": "A mistake."})
    assert browser(alice).get("/rentals/").status_code == 200
    assert state(rental)[0] in {"stopping", "stopped"}
    assert Notice.objects.filter(kind="account_restored", user=alice).exists()
    assert Ban.objects.get().lifted_at is not None
    assert [act.kind for act in Act.objects.all()] == ["lift-ban", "ban"]
    ban(by=by, user_id=alice.pk, reason="again", now=NOW + timedelta(days=1))
    assert Ban.objects.filter(lifted_at=None).count() == 1


def test_refused_bans_change_nothing(by: Staff, alice: User, admin: User, now: datetime) -> None:
    other = staff("finance", Role.FINANCE)
    root = User.objects.create_superuser("root@berth.example")
    for user in (admin, other, root):
        with pytest.raises(WorksHere):
            ban(by=by, user_id=user.pk, reason="x", now=now)
    with pytest.raises(NobodyThere):
        ban(by=by, user_id=0, reason="x", now=now)
    with pytest.raises(ReasonUnfit):
        ban(by=by, user_id=alice.pk, reason=" ", now=now)
    with pytest.raises(NotBanned):
        lift(by=by, user_id=alice.pk, reason="x", now=now)
    assert not Act.objects.exists()
    assert not Notice.objects.exists()
    assert User.objects.filter(is_active=False).count() == 0
    ban(by=by, user_id=alice.pk, reason="x", now=now)
    with pytest.raises(BannedAlready):
        ban(by=by, user_id=alice.pk, reason="x", now=now)


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
@pytest.mark.parametrize("what", ["ban", "lift", "prove"])
def test_who_may_not_ban_does_not(alice: User, role: Role, what: str, now: datetime) -> None:
    user = staff("one", role)
    path = f"/console/people/{alice.pk}/{what}"
    assert browser(user).post(path, {"reason": "x"}).status_code == 403
    by = as_staff(user)
    assert by is not None
    for act in (ban, lift):
        with pytest.raises(NotYourRole):
            act(by=by, user_id=alice.pk, reason="x", now=now)
    page = browser(user).get(f"/console/people/{alice.pk}/").content.decode()
    assert f'action="{path}"' not in page
    assert not Act.objects.exists()


def test_an_address_is_taken_as_theirs(as_admin: Client, alice: User) -> None:
    as_admin.post(f"/console/people/{alice.pk}/prove", {"reason": "she called"})
    page = as_admin.get(f"/console/people/{alice.pk}/")
    assert page.context["is_proven"]
    act = Act.objects.get()
    assert (act.kind, act.after) == ("prove-email", {"proven": True})
    assert f"person {alice.email}" in as_admin.get("/console/log/").content.decode()
    as_admin.post("/console/people/999999/prove", {"reason": "x"})
    assert Act.objects.count() == 1


def test_nobody_lifts_what_is_no_ban_but_a_deleted_account(by: Staff, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False, email=f"one@{NOWHERE}")
    with pytest.raises(NotBanned):
        lift(by=by, user_id=alice.pk, reason="r", now=scene.NOW)
    assert not User.objects.get(pk=alice.pk).is_active


def test_no_key_opens_the_console_whoever_it_belongs_to(admin: User, alice: User) -> None:
    """A key has no second step (docs/decisions/0044-the-operators-console.md)."""
    secret = issue_api_key.issue(user_id=admin.pk, name="k", now=timezone.now()).secret
    header = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    assert Client().get("/api/v1/me", **header).status_code == 200
    ban = f"/console/people/{alice.pk}/ban"
    for reply in (
        Client().get("/console/", **header),
        Client().post(ban, {"reason": "x"}, **header),
    ):
        assert (reply.status_code, reply.headers["Location"].split("?")[0]) == (
            302,
            "/accounts/login/",
        )
    alice.refresh_from_db()
    assert alice.is_active
