"""A host is led to the processor, and its account is paid to only while it is well."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.count_attempt import TooManyAttempts
from marketplace.accounts.models import User
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.look_at_accounts import look_at_accounts
from marketplace.payouts.actions.onboard import (
    ACCOUNTS,
    ChainOnlyChosen,
    DetailsMissing,
    OnboardingRefused,
    ProcessorSilent,
    onboard,
)
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.payouts.actions.set_details import choose_route
from marketplace.payouts.models import Payout, PayoutAccount, Route
from scripts.stripe_stand_in.connect import Connect, needs
from scripts.stripe_stand_in.keys import CONNECT_WEBHOOK_SECRET
from tests.marketplace.payouts.conftest import BACK, Earn, Host, day, write_details


def start(user: User, gateway: StripeConnect) -> str:
    return onboard(host_id=user.pk, now=day(0), gateway=gateway, **BACK)


def test_asking_twice_opens_one_account(
    charlie: User, gateway: StripeConnect, processor: Connect
) -> None:
    write_details(charlie)
    urls = {start(charlie, gateway) for _ in range(2)}
    assert urls == {"https://connect.invalid/setup/acct_1"}
    assert list(processor.accounts) == ["acct_1"]


def test_who_can_be_paid_is_led_to_where_the_bank_is_changed(
    host: Host, gateway: StripeConnect
) -> None:
    assert start(host.user, gateway) == "https://connect.invalid/express/acct_1"


def test_no_host_opens_accounts_at_the_processor_without_end(
    charlie: User, gateway: StripeConnect, processor: Connect
) -> None:
    for country in ("US", "CA", "US"):
        write_details(charlie, country=country)
        start(charlie, gateway)
    write_details(charlie, country="CA")
    with pytest.raises(TooManyAttempts, match="in 168 hours"):
        start(charlie, gateway)
    assert len(processor.accounts) == ACCOUNTS.attempts_max
    # The one that it has stays open.
    write_details(charlie, country="US")
    assert start(charlie, gateway).endswith("acct_3")


def test_a_lost_answer_opens_one_account(
    charlie: User, gateway: StripeConnect, processor: Connect
) -> None:
    write_details(charlie)
    processor.lose_answers = 1
    with pytest.raises(ProcessorSilent, match=r"nothing changed"):
        start(charlie, gateway)
    start(charlie, gateway)
    assert list(processor.accounts) == ["acct_1"]
    assert PayoutAccount.objects.get().reference == "acct_1"


def test_who_did_not_say_who_they_are_is_asked_first(charlie: User, gateway: StripeConnect) -> None:
    with pytest.raises(DetailsMissing):
        start(charlie, gateway)
    choose_route(host_id=charlie.pk, route=Route.BANK, now=day(0))
    with pytest.raises(DetailsMissing):
        start(charlie, gateway)
    assert not PayoutAccount.objects.exists()


def test_who_chose_the_chain_needs_no_account(charlie: User, gateway: StripeConnect) -> None:
    write_details(charlie)
    choose_route(host_id=charlie.pk, route=Route.CHAIN_ONLY, now=day(0))
    with pytest.raises(ChainOnlyChosen):
        start(charlie, gateway)


def test_another_country_needs_another_account(
    host: Host, gateway: StripeConnect, processor: Connect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    write_details(host.user, country="AT")
    assert open_payouts(now=day(-1), gateway=gateway) == 0
    start(host.user, gateway)
    assert open_payouts(now=day(0), gateway=gateway) == 0
    accounts = PayoutAccount.objects.order_by("opened_at").values_list("country", "closed_at")
    assert list(accounts) == [("US", day(0)), ("AT", None)]
    assert processor.accounts["acct_2"]["country"] == "AT"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"country": "DE"}, "Your papers say US and the account DE"),
        ({"payouts_enabled": False}, "Stripe has not opened this account"),
        ({"capabilities": {"transfers": "inactive"}}, "Stripe has not opened this account"),
        (
            {"payouts_enabled": False, "requirements": needs(currently_due=["tos"])},
            "Stripe still wants to know more",
        ),
        (
            {"payouts_enabled": False, "requirements": needs(disabled_reason="rejected.fraud")},
            "Stripe keeps this account shut: rejected.fraud.",
        ),
        (
            {"payouts_enabled": False, "requirements": needs(errors=[{"reason": "Blurred."}])},
            "Blurred.",
        ),
    ],
)
def test_an_account_that_is_not_well_is_not_paid_to_and_says_why(
    host: Host,
    gateway: StripeConnect,
    processor: Connect,
    earn: Earn,
    changed: dict[str, object],
    reason: str,
) -> None:
    earn(host.user, 100, at=day(-31))
    processor.enable("acct_1", **changed)
    look_at_accounts(now=day(-1), gateway=gateway)
    host.account.refresh_from_db()
    assert host.account.enabled_at is None
    assert host.account.reason.startswith(reason)
    assert open_payouts(now=day(0), gateway=gateway) == 0
    processor.enable("acct_1", country="US")
    look_at_accounts(now=day(1), gateway=gateway)
    assert open_payouts(now=day(7), gateway=gateway) == 1


def test_an_account_that_is_gone_is_not_paid_to(
    host: Host, gateway: StripeConnect, processor: Connect
) -> None:
    processor.accounts.clear()
    look_at_accounts(now=day(-1), gateway=gateway)
    host.account.refresh_from_db()
    assert (host.account.enabled_at, host.account.reason) == (None, "No such account: acct_1")


def test_a_silent_processor_changes_nothing(
    host: Host, gateway: StripeConnect, processor: Connect
) -> None:
    processor.down = True
    assert look_at_accounts(now=day(-1), gateway=gateway) == 0
    host.account.refresh_from_db()
    assert host.account.enabled_at is not None
    assert host.account.look_at == day(-1) + timedelta(minutes=5)


def test_a_country_that_the_processor_does_not_serve_is_refused_in_its_words(
    charlie: User, gateway: StripeConnect, processor: Connect
) -> None:
    write_details(charlie, country="TH")
    with pytest.raises(OnboardingRefused, match="TH is not currently supported"):
        start(charlie, gateway)
    write_details(charlie, country="US")
    assert start(charlie, gateway).endswith("acct_1")


@pytest.mark.parametrize("kind", ["account.updated", "payout.failed", "payout.paid"])
def test_an_event_has_account_and_payouts_looked_at_now(
    host: Host,
    gateway: StripeConnect,
    processor: Connect,
    earn: Earn,
    settings: Settings,
    kind: str,
) -> None:
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT_WEBHOOK_SECRET
    earn(host.user, 100, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    for _ in range(2):
        send_payouts(now=day(0), gateway=gateway)
    assert Payout.objects.get().due_at == day(0) + timedelta(hours=1)
    Payout.objects.update(due_at=day(10**4))
    PayoutAccount.objects.update(look_at=day(10**4))
    body, signature = processor.event(kind, "acct_1", at=int(time.time()))
    for _ in range(2):
        reply = Client().post(
            "/stripe/connect", body, "application/json", headers={"Stripe-Signature": signature}
        )
        assert reply.status_code == 204
    assert Payout.objects.get().due_at < day(10**4)
    assert PayoutAccount.objects.get().look_at < day(10**4)


@pytest.mark.parametrize("age_s", [0, 10_000])
def test_a_forged_or_old_event_is_refused(
    host: Host, processor: Connect, settings: Settings, age_s: int
) -> None:
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT_WEBHOOK_SECRET
    body, signature = processor.event("account.updated", "acct_1", at=int(time.time()) - age_s)
    if not age_s:
        body = body.replace(b"acct_1", b"acct_2")
    headers = {"Stripe-Signature": signature}
    reply = Client().post("/stripe/connect", body, "application/json", headers=headers)
    assert reply.status_code == 400


def test_without_a_secret_no_event_is_heard(processor: Connect, db: None) -> None:
    body, signature = processor.event("account.updated", "acct_1", at=int(time.time()))
    headers = {"Stripe-Signature": signature}
    reply = Client().post("/stripe/connect", body, "application/json", headers=headers)
    assert reply.status_code == 404
