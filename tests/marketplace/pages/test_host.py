"""Becoming a host, and a host's machines."""

import html
import shlex
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.machines.actions.describe import describe
from marketplace.machines.actions.issue_token import OPEN_TOKENS_MAX, digest
from marketplace.machines.models import EnrolmentToken, Machine
from marketplace.offers.models import Offer
from marketplace.verification.models import EpochScore, Validator, VerdictRecord
from protocol.hardware import Hardware
from tests.marketplace import scene
from tests.marketplace.pages.test_offers import more_offers
from tests.marketplace.rentals.market import Market

Browser = Callable[[User], Client]


@pytest.fixture
def host(market: Market, charlie: User, browser_of: Browser) -> Client:
    return browser_of(charlie)


def page_of(host: Client, market: Market) -> str:
    reply = host.get(f"/host/machines/{market.machine.id}/")
    assert reply.status_code == 200
    return reply.content.decode()


def test_everybody_may_read_how_hosting_works(db: None) -> None:
    page = Client().get("/host/").content.decode()
    assert "Put your machine to work" in page
    assert '<a href="/install">one line</a> from this page installs all that is needed' in page
    assert "a machine with GPUs is not on the market before you do" in page
    assert "/accounts/signup/" in page


def test_a_token_comes_as_one_line_to_copy(alice: User, browser_of: Browser) -> None:
    reply = browser_of(alice).post("/host/tokens")
    command, enroll = reply.context["command"], reply.context["enrol_command"]
    page = html.unescape(reply.content.decode())
    for words in (command, enroll, "install --address", 'href="/install"'):
        assert words in page
    assert "no-store" in reply.headers["Cache-Control"]
    kept = EnrolmentToken.objects.get(host=alice)
    echo, token, *told = shlex.split(command)
    script = f"$(curl -fsS {settings.PUBLIC_URL}/install)"
    assert (echo, told) == ("echo", ["|", "sh", "-c", script])
    assert digest(token) == kept.token_sha256
    assert enroll == f"echo {token} | berth-agent enroll --url {settings.PUBLIC_URL}"


def test_a_host_has_a_bounded_number_of_open_tokens(alice: User, browser_of: Browser) -> None:
    browser = browser_of(alice)
    for _ in range(OPEN_TOKENS_MAX):
        assert "command" in browser.post("/host/tokens").context
    reply = browser.post("/host/tokens", follow=True)
    assert "enrolment tokens that no machine used yet" in reply.content.decode()
    assert EnrolmentToken.objects.count() == OPEN_TOKENS_MAX


def test_a_host_sees_verdict_score_earnings_and_what_is_free(host: Client, market: Market) -> None:
    EpochScore.objects.create(
        validator=Validator.objects.get(),
        machine=market.machine,
        epoch=1,
        points_micro=1_250_000,
        factors_ppm={"uptime": 900_000, "refusal": 1_000_000},
        signature="00",
        received_at=scene.NOW,
    )
    page = page_of(host, market)
    for words in ("Online", "Verified", "1.25", "Uptime", "90 %", "4 of 4 CPUs", "$3.60 per CPU"):
        assert words in page
    assert "Acceptance" not in page, "what nobody measured is no figure"


def test_a_host_reads_that_gpus_wait_for_a_price(host: Client, market: Market) -> None:
    assert "until you set its price" not in page_of(host, market)
    Offer.objects.update(listed=False)
    Machine.objects.update(gpus_total=1)
    page = page_of(host, market)
    assert "Not on the market until you set its price" in page
    assert "hotkey" in page


def test_the_table_takes_the_same_queries_however_many_machines(
    host: Client, market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    more_offers(market, 5)
    # session, user; machines; meters in two; offers, guests, standings, newest scores in two,
    # uptime in two; what changed, incidents; earned; balance, unread
    with django_assert_num_queries(16):
        page = host.get("/host/")
    assert len(page.context["table"].rows) == 6


def test_the_page_of_a_machine_takes_the_same_queries_however_many_there_are(
    host: Client, market: Market, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # The scene makes copies under the same name in Python.
    url = f"/host/machines/{market.machine.id}/"
    with django_assert_max_num_queries(40) as first:
        assert host.get(url).status_code == 200
    more_offers(market, 5)
    with django_assert_max_num_queries(len(first)):
        assert host.get(url).status_code == 200


def test_a_machine_that_claims_more_than_was_looked_at_is_not_shown_as_verified(
    host: Client, market: Market
) -> None:
    looked_at = Hardware.model_validate(market.machine.hardware)
    signed = scene.Judge().verdict(market.machine, hardware=looked_at)
    VerdictRecord.objects.update(signed=signed.model_dump(mode="json"))
    badge = '<span class="badge badge-good">Verified</span>'
    assert badge in page_of(host, market)
    describe(machine_id=market.machine.id, hardware=looked_at.model_copy(update={"cpus": 64}))
    page = page_of(host, market)
    assert badge not in page
    assert "claims other hardware" in page


def test_terms_are_set_by_a_plain_form(host: Client, market: Market) -> None:
    url = f"/host/machines/{market.machine.id}/terms"
    reply = host.post(url, {"price_cpu_hour": "0.02", "longest_hours": "1.5"}, follow=True)
    offer = Offer.objects.get()
    assert offer.price_cpu_hour_microusd == 20_000
    assert offer.longest_term_s == 5400
    assert not offer.listed
    assert b"Not on the market" in reply.content


def test_bids_are_taken_only_while_the_host_names_a_floor(host: Client, market: Market) -> None:
    assert Offer.objects.get().bid_floor_microusd is None
    assert "Who bids is outbid by higher bids" in page_of(host, market)
    url = f"/host/machines/{market.machine.id}/terms"
    host.post(url, {"price_cpu_hour": "0.02", "bid_floor": "0.01"})
    assert Offer.objects.get().bid_floor_microusd == 10_000
    host.post(url, {"price_cpu_hour": "0.02", "bid_floor": ""})
    assert Offer.objects.get().bid_floor_microusd is None


def test_a_host_names_an_end_and_guests(host: Client, market: Market) -> None:
    url = f"/host/machines/{market.machine.id}/terms"
    terms = {
        "price_cpu_hour": "0.02",
        "cpus_min": "2",
        "ends_at": "2027-01-01T00:00",
        "guests": "alice@example.com\nBob@example.com",
        "listed": "on",
    }
    page = host.post(url, terms, follow=True).content.decode()
    offer = Offer.objects.get()
    assert f"{offer.ends_at:%Y-%m-%d %H:%M}" == "2027-01-01 00:00"
    assert (offer.cpus_min, offer.private) == (2, True)
    assert "for your guests only" in page
    assert "alice@example.com\nbob@example.com</textarea>" in page
    host.post(url, {"price_cpu_hour": "0.02", "listed": "on"})
    offer.refresh_from_db()
    assert (offer.ends_at, offer.private) == (None, False)


def test_a_price_out_of_bounds_is_explained(host: Client, market: Market) -> None:
    url = f"/host/machines/{market.machine.id}/terms"
    reply = host.post(url, {"price_cpu_hour": "1001"}, follow=True)
    assert b"between $0.000001 and $1000" in reply.content
    reply = host.post(url, {"price_cpu_hour": "cheap"}, follow=True)
    assert b"Write an amount of dollars" in reply.content
    assert Offer.objects.get().price_cpu_hour_microusd == 3_600_000


def test_bob_cannot_set_charlies_price(market: Market, bob: User, browser_of: Browser) -> None:
    url = f"/host/machines/{market.machine.id}/terms"
    assert browser_of(bob).post(url, {"price_cpu_hour": "0.01"}).status_code == 404
    assert Offer.objects.get().price_cpu_hour_microusd == 3_600_000
    assert b"Put your machine to work" in browser_of(bob).get("/host/").content
