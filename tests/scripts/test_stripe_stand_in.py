"""The stand-in runs beside a site as one Stripe: cards, payments, accounts, and people's pages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
import stripe
from stripe import RequestsClient, StripeClient

from marketplace.domain.money import MicroUsd
from marketplace.payments.stripe_connect import StripeConnect
from scripts.demo import free
from scripts.step import until
from scripts.stripe_stand_in.keys import SECRET_KEY
from tests.architecture.sources import TREE

PAYOUT = UUID(int=7)
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free.port()
    command = ("-m", "scripts.stripe_stand_in", "--site", NOBODY, "--port", str(port))
    process = subprocess.Popen([sys.executable, *command], cwd=TREE, env=dict(os.environ))
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(url), within_s=60, waiting_for="the stand-in")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool | None:
    try:
        return httpx.get(f"{url}/_card/none", timeout=5).status_code == 404
    except httpx.TransportError:
        return None


@pytest.fixture
def library(url: str) -> StripeClient:
    http_client = RequestsClient(timeout=20)
    return StripeClient(SECRET_KEY, base_addresses={"api": url}, http_client=http_client)


def with_card(library: StripeClient, number: str) -> stripe.PaymentIntent:
    """Return a payment of $20 by a card that its owner typed in on the stand-in's page."""
    asked = {"email": "a@example.org", "metadata": {"payer": "1"}}
    customer = library.v1.customers.create(asked, {"idempotency_key": f"customer-{number}"})
    page = library.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "customer": customer.id,
            "payment_method_types": ["card"],
            "success_url": f"{NOBODY}/saved",
            "cancel_url": f"{NOBODY}/saved",
        }
    )
    assert page.url
    assert "not Stripe" in httpx.get(page.url).text
    assert httpx.post(page.url, data={"number": number}).headers["location"] == f"{NOBODY}/saved"
    cards = library.v1.payment_methods.list({"customer": customer.id, "type": "card", "limit": 9})
    return library.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": cards.data[0].id,
            "payment_method_types": ["card"],
            "confirm": True,
            "metadata": {"top_up": "1"},
            "return_url": f"{NOBODY}/back",
        },
        {"idempotency_key": f"payment-{number}"},
    )


def test_a_card_typed_in_on_its_page_pays(library: StripeClient) -> None:
    assert with_card(library, "4242 4242 4242 4242").status == "succeeded"


@pytest.mark.parametrize(
    ("answer", "status"), [("yes", "succeeded"), ("no", "requires_payment_method")]
)
def test_a_bank_s_question_is_answered_on_its_page(
    library: StripeClient, answer: str, status: str
) -> None:
    card = {"yes": "4000002500003155", "no": "4000002760003184"}[answer]
    asked = with_card(library, card)
    assert asked.status == "requires_action"
    assert asked.next_action
    assert asked.next_action.redirect_to_url
    page = str(asked.next_action.redirect_to_url.url)

    back = httpx.post(page, data={"answer": answer})

    assert back.headers["location"] == f"{NOBODY}/back"
    assert library.v1.payment_intents.retrieve(asked.id).status == status
    assert httpx.get(page).status_code == 404


def test_a_host_connects_a_bank_on_its_page_and_is_paid(url: str) -> None:
    site = StripeConnect(SECRET_KEY, api_url=url)
    account = site.open_account(account_id=UUID(int=1), email="h@example.org", country="US")
    form = site.onboarding_url(reference=account, return_url=NOBODY, retry_url=NOBODY)
    assert not site.look(reference=account).enabled
    assert httpx.post(form).headers["location"] == NOBODY
    assert site.look(reference=account).enabled

    sent = site.send(
        payout_id=PAYOUT, key="one", amount_microusd=MicroUsd(70_000), destination=account
    )

    assert site.find(payout_id=PAYOUT) == sent
    assert account in httpx.get(site.dashboard_url(reference=account)).text
