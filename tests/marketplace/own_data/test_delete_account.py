"""An account goes when nothing of it goes on, and leaves nobody's name behind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from allauth.account import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core import mail as outbox
from django.db import connection
from django.db.models import F
from django.test import Client

from marketplace.accounts import queries
from marketplace.accounts.actions import add_ssh_key, issue_api_key
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import ApiKey, SpendLimit, SshKey, User
from marketplace.domain.money import MicroUsd
from marketplace.domain.spending import SpendLimitReached
from marketplace.domain.team import Role
from marketplace.endpoints.models import Endpoint
from marketplace.ledger.actions import hold, spend_limit
from marketplace.ledger.models import Account, Hold, Transfer
from marketplace.machines.models import Machine
from marketplace.notices.actions import add_hook
from marketplace.notices.models import WebHook
from marketplace.offers.models import Guest, Offer
from marketplace.own_data.actions.delete_account import AccountInUse, delete, obstacle
from marketplace.own_data.actions.say_farewell import say_farewell
from marketplace.own_data.models import Farewell
from marketplace.payments.models import Payer, TopUp
from marketplace.placements.models import Placement
from marketplace.rentals.actions.end import end
from marketplace.rentals.models import Failover, RentalReport
from tests.marketplace.browsers import enter
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.rentals.market import ALICES_KEY, Market, give_key
from tests.marketplace.scene import NOW, after
from tests.marketplace.teams import team_of

PAGE = "/accounts/delete/"
LONG_AGO_S = app_settings.REAUTHENTICATION_TIMEOUT + 1
SURE = {"password": PASSWORD, "sure": "on"}


def test_nothing_opens_it_and_no_name_is_left(alice: User, bob: User, now: datetime) -> None:
    prove(user=alice)
    secret = issue_api_key.issue(user_id=alice.pk, name="ci", now=now).secret
    for user in (alice, bob):
        add_ssh_key.add(user_id=user.pk, name="k", public_key=ALICES_KEY, now=now)
        add_hook.add(user_id=user.pk, url="https://example.com/b", now=now)
    here, there = enter(Client(), alice), enter(Client(), alice)
    gone = here.post(PAGE, SURE)
    assert "Your account is gone" in gone.content.decode()
    for browser in (here, there):
        assert browser.get("/keys/").headers["Location"].startswith("/accounts/login/")
    assert queries.key_of(secret, now) is None
    row = User.objects.get(pk=alice.pk)
    assert (row.is_active, row.has_usable_password()) == (False, False)
    assert row.email.endswith("@deleted.invalid")
    assert {key.user for key in SshKey.objects.all()} == {bob}
    assert {hook.user for hook in WebHook.objects.all()} == {bob}
    assert Client().login(email=alice.email, password=PASSWORD) is False
    again = Client()
    again.post("/accounts/signup/", {"email": alice.email, "password1": PASSWORD})
    assert User.objects.get(email=alice.email).pk != alice.pk


def test_what_opened_or_named_something_of_theirs_is_emptied(
    alice: User, charlie: User, give: Callable[..., None]
) -> None:
    market = Market.open(charlie)
    give(alice, 20_000_000)
    give_key(alice)
    rental = market.rent(alice)
    end(rental_id=rental.id, renter_id=alice.pk, now=after(1))
    mine = Placement.objects.filter(rental=rental)
    workload = mine.get().workload | {"command": ["serve"], "environment": {"TOKEN": "hush"}}
    mine.update(workload=workload, former_workload=workload, guest_keys=["guest"])
    mine.update(state="released", ended_at=after(1), deadline_at=None)
    Account.objects.filter(user=alice).update(debits_posted=F("credits_posted"))
    Payer.objects.create(user=alice, customer="cus_1", card_text="visa 4242")
    paid = TopUp.objects.create(
        user=alice,
        amount_microusd=1_000_000,
        state="paid",
        gateway="stripe",
        reference="pi_1",
        customer="cus_1",
        card="pm_1",
        card_text="visa 4242",
        cause="t",
        created_at=NOW,
        ask_at=NOW,
    )
    Guest.objects.create(offer=Offer.objects.get(), email=alice.email)
    report = RentalReport.objects.create(
        rental=rental, renter=alice, what="other", text="I am Alice.", made_at=after(1)
    )
    delete(user_id=alice.pk, now=after(2))
    report.refresh_from_db()
    assert (report.text, report.state) == ("", "withdrawn")
    left = mine.get()
    assert (left.workload["command"], left.workload["environment"]) == ([], {})
    assert left.workload["image"] == workload["image"]
    assert (left.former_workload, left.authorized_keys, left.guest_keys) == (None, [], [])
    assert list(Payer.objects.values_list("customer", "card_text")) == [("", "")]
    paid.refresh_from_db()
    assert (paid.customer, paid.card, paid.card_text, paid.reference) == ("", "", "", "pi_1")
    assert left.ssh_host == ""
    assert not Guest.objects.exists()
    Machine.objects.update(online=False, problem="No card in charlies-box.")
    Offer.objects.update(listed=False)
    mine.update(ssh_host="10.0.0.1")
    delete(user_id=charlie.pk, now=after(3))
    machine = Machine.objects.get()
    assert (machine.address, machine.problem, mine.get().ssh_host) == ("", "", "")


def test_a_last_letter_is_sent_and_the_address_forgotten(alice: User, now: datetime) -> None:
    prove(user=alice)
    delete(user_id=alice.pk, now=now)
    assert [say_farewell(now=now), say_farewell(now=now)] == [1, 0]
    (letter,) = outbox.outbox
    assert (letter.to, letter.subject) == ([alice.email], "Your account was deleted")
    assert not Farewell.objects.exists()


def test_an_address_that_was_not_proven_gets_no_letter(alice: User, now: datetime) -> None:
    delete(user_id=alice.pk, now=now)
    assert not Farewell.objects.exists()


def test_a_letter_waits_for_a_mail_server_and_is_given_up(
    alice: User, now: datetime, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    prove(user=alice)
    delete(user_id=alice.pk, now=now)
    assert say_farewell(now=now) == 0
    assert Farewell.objects.get().due_at > now
    assert say_farewell(now=now + timedelta(days=4)) == 0
    assert not Farewell.objects.exists()


@pytest.mark.parametrize(
    "told", [{"sure": "on"}, SURE | {"password": "wrong"}, {"password": PASSWORD}]
)
def test_a_session_and_a_wrong_password_delete_nothing(alice: User, told: dict[str, str]) -> None:
    assert enter(Client(), alice).post(PAGE, told).status_code == 422
    assert User.objects.get(pk=alice.pk).email == alice.email


def test_a_second_step_is_asked_for(alice: User) -> None:
    code = RecoveryCodes.activate(alice).generate_codes()[0]
    browser = enter(Client(), alice)
    refused = browser.post(PAGE, SURE)
    assert (refused.status_code, b"authenticator app" in refused.content) == (422, True)
    assert browser.post(PAGE, SURE | {"code": "000000"}).status_code == 422
    assert User.objects.get(pk=alice.pk).is_active
    assert b"Your account is gone" in browser.post(PAGE, SURE | {"code": code}).content


@pytest.mark.parametrize("has_password", [True, False])
def test_whoever_has_a_passkey_alone_is_asked_on_a_page_of_its_own(
    alice: User, has_password: bool
) -> None:
    Authenticator.objects.create(user=alice, type=Authenticator.Type.WEBAUTHN, data={})
    if not has_password:
        alice.set_unusable_password()
        alice.save()
    browser = enter(Client(), alice, ago_s=LONG_AGO_S)
    assert b'name="password"' not in browser.get(PAGE).content
    assert browser.post(PAGE, {}).status_code == 422
    asked = browser.post(PAGE, {"sure": "on"})
    assert asked.headers["Location"].endswith(f"/reauthenticate/?next={quote(PAGE, safe='')}")
    assert User.objects.get(pk=alice.pk).is_active
    if has_password:
        gone = browser.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": PAGE})
    else:
        gone = enter(browser, alice).post(PAGE, {"sure": "on"})
    assert b"Your account is gone" in gone.content
    assert not User.objects.get(pk=alice.pk).is_active
    assert browser.get("/keys/").headers["Location"].startswith("/accounts/login/")


def test_money_that_arrives_while_the_rest_is_looked_at_is_found(
    alice: User, give: Callable[..., None]
) -> None:
    arrived = []

    def arrive(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        # The payment pended when money was looked for, and is there when payments are.
        if not arrived and "payments_topup" in sql:
            arrived.append(sql)
            give(alice, 1_000_000)
        return run(sql, *rest)

    with connection.execute_wrapper(arrive):
        assert "There is money" in obstacle(alice)
    assert arrived


def test_a_visitor_and_another_account_delete_nothing_of_hers(alice: User, bob: User) -> None:
    assert Client().post(PAGE, SURE).headers["Location"].startswith("/accounts/login/")
    enter(Client(), bob).post(PAGE, SURE)
    assert User.objects.get(pk=alice.pk).is_active
    assert not User.objects.get(pk=bob.pk).is_active


def test_what_goes_on_is_named_with_what_to_do(
    alice: User, charlie: User, give: Callable[..., None]
) -> None:
    market = Market.open(charlie)
    assert "stop its agent" in obstacle(charlie)
    Machine.objects.update(online=False)
    assert "stop its agent" in obstacle(charlie)
    Offer.objects.update(listed=False)
    assert obstacle(charlie) == ""
    Machine.objects.update(online=True)
    Offer.objects.update(listed=True)
    give(alice, 20_000_000)
    assert "There is money" in obstacle(alice)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(2))
    assert "You have rentals" in obstacle(alice)
    Machine.objects.update(online=False)
    Offer.objects.update(listed=False)
    assert "stop its agent" in obstacle(charlie)
    transfers = Transfer.objects.count()
    for user in (alice, charlie):
        with pytest.raises(AccountInUse):
            delete(user_id=user.pk, now=NOW)
    assert User.objects.filter(is_active=False).count() == 0
    assert Transfer.objects.count() == transfers
    page = enter(Client(), alice).get(PAGE).content.decode()
    assert "You have rentals: end each of them first" in page
    assert "Delete my account</button>" not in page


def test_money_is_looked_for_before_the_payout_that_takes_it_along(
    alice: User, give: Callable[..., None]
) -> None:
    """The other way round, one that is opened between the two would be in neither."""
    give(alice, 1_000_000)
    TopUp.objects.create(
        user=alice,
        amount_microusd=1_000_000,
        gateway="stripe",
        cause="t",
        created_at=NOW,
        ask_at=NOW,
    )
    assert "There is money" in obstacle(alice)
    Account.objects.filter(user=alice).update(debits_posted=F("credits_posted"))
    assert "under way" in obstacle(alice)


def test_a_saved_card_and_an_operators_role_are_in_the_way(alice: User, bob: User) -> None:
    Payer.objects.create(user=alice, customer="cus_1", card="pm_1")
    assert "A card of yours" in obstacle(alice)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.refresh_from_db()
    assert "operator" in obstacle(bob)


def test_a_limit_bounds_what_its_key_made_for_a_team_although_its_person_is_gone(
    alice: User, bob: User, give: Callable[..., None], now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.MEMBER))
    give(team, 100_000_000)
    key, used, plain = (
        issue_api_key.issue(user_id=bob.pk, name=name, spend_limit_microusd=most, now=now).key
        for name, most in (("ci", 2_000_000), ("used", 1_000_000), ("plain", None))
    )
    for one in (key, plain):
        held = hold.place(
            user_id=team.pk, amount_microusd=MicroUsd(1_000_000), cause=one.name, now=now
        )
        spend_limit.attribute(hold_id=held.pk, api_key_id=one.pk, now=now)
    over = hold.place(user_id=team.pk, amount_microusd=MicroUsd(1), cause="over", now=now)
    spend_limit.attribute(hold_id=over.pk, api_key_id=used.pk, now=now)
    hold.release(hold_id=over.pk, cause="over back", now=now)
    delete(user_id=bob.pk, now=now)
    kept = ApiKey.objects.get()
    assert (kept.pk, kept.name, kept.prefix, kept.revoked_at) == (key.pk, "", "", now)
    bounded = Hold.objects.get(cause="ci")
    assert bounded.api_key == kept
    hold.increase(hold_id=bounded.pk, amount_microusd=MicroUsd(900_000), cause="more", now=now)
    with pytest.raises(SpendLimitReached):
        hold.increase(hold_id=bounded.pk, amount_microusd=MicroUsd(200_000), cause="m", now=now)
    # Once more comes back, it counts back.
    hold.release(hold_id=bounded.pk, cause="ci back", now=now)
    assert SpendLimit.objects.get().counted_microusd == 0


def test_an_endpoint_of_a_team_keeps_the_limit_that_its_key_had(
    alice: User, bob: User, now: datetime
) -> None:
    team = team_of(alice, now, bob=(bob, Role.MEMBER))
    key = issue_api_key.issue(user_id=bob.pk, name="ci", spend_limit_microusd=5, now=now).key
    made = Endpoint.objects.create(
        renter=team,
        name="serve",
        workload={},
        wanted=0,
        price_hour_microusd_max=1,
        key_digest="",
        key_prefix="",
        api_key=key,
        created_at=now,
    )
    delete(user_id=bob.pk, now=now)
    made.refresh_from_db()
    assert made.api_key_id == key.pk
    assert SpendLimit.objects.get().limit_microusd == 5


def test_the_next_machine_of_a_rental_counts_for_the_key_that_its_person_left(
    alice: User, bob: User, charlie: User, give: Callable[..., None]
) -> None:
    team = team_of(alice, NOW, bob=(bob, Role.MEMBER))
    give(team, 100_000_000)
    give_key(team)
    key = issue_api_key.issue(user_id=bob.pk, name="ci", spend_limit_microusd=9_000_000, now=NOW)
    rental = Market.open(charlie).rent(team)
    held = rental.meter.hold
    spend_limit.attribute(hold_id=held.pk, api_key_id=key.key.pk, now=NOW)
    wish = Failover.objects.create(rental=rental, price_hour_microusd_max=1, first_started_at=NOW)
    hold.release(hold_id=held.pk, cause="back", now=NOW)
    delete(user_id=bob.pk, now=after(1))
    assert ApiKey.objects.get().pk == key.key.pk
    # Once it is settled nothing comes that would count.
    wish.settled_at = NOW
    wish.save()
    User.objects.filter(pk=bob.pk).update(is_active=True)
    delete(user_id=bob.pk, now=after(2))
    assert not ApiKey.objects.exists()
