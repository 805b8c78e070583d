"""A host's table of machines, and the page of each: what it earns, what is wrong, what to ask."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from marketplace.metering.models import Meter
from marketplace.offers.models import Guest, KindPrice, Offer
from marketplace.pages import host_table
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import EpochScore, Validator
from protocol.agent import Problem
from protocol.validator import Finding, FindingState, VerdictState
from tests.marketplace import scene
from tests.marketplace.pages.test_offers import more_offers
from tests.marketplace.rentals.market import Market, give_key

Browser = Callable[[User], Client]
NOW_MS = int(scene.NOW.timestamp() * 1000)


@pytest.fixture
def host(market: Market, charlie: User, browser_of: Browser) -> Client:
    return browser_of(charlie)


def rows(host: Client, query: str = "") -> list[str]:
    return [row.short_id for row in host.get(f"/host/{query}").context["table"].rows]


def short(market: Market) -> str:
    return str(market.machine.id)[:8]


def test_one_glance_shows_status_verdict_occupancy_earnings_and_reliability(
    host: Client, market: Market, alice: User, give: Callable[..., None]
) -> None:
    give(alice, 10_000_000)
    give_key(alice)
    Machine.objects.update(enrolled_at=scene.NOW - timedelta(days=10))
    market.run(market.rent(alice), at=scene.NOW)
    day_ms = 86_400_000
    Meter.objects.update(
        proven_ms=2 * day_ms,
        charged_ms=2 * day_ms,
        charged_until=scene.NOW,
        opened_at=scene.NOW - timedelta(days=3),
    )
    (row,) = host.get("/host/").context["table"].rows
    assert (row.presence, row.verdict, row.occupancy) == ("Online", "Verified", "5.0 %")
    assert (row.earned, row.reliability) == ("$0.00", "0.0000")
    assert row.price == "$3.60 per CPU-hour"
    assert row.free == "3 of 4 CPUs free"


@pytest.mark.parametrize("sort", [one.value for one in host_table.Sort])
def test_pages_hold_every_machine_once_whatever_they_are_sorted_by(
    host: Client, market: Market, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    more_offers(market, 4)
    monkeypatch.setattr(host_table, "PAGE_ROWS", 2)
    found: list[str] = []
    url = f"/host/?sort={sort}"
    while url:
        table = host.get(url).context["table"]
        found += [row.url for row in table.rows]
        url = table.next_url
    assert len(found) == len(set(found)) == 5


def test_who_is_away_or_the_worst_comes_first_where_that_is_asked(
    host: Client, market: Market
) -> None:
    away, bad = UUID(int=2), UUID(int=3)
    more_offers(market, 3)
    Machine.objects.filter(pk=away).update(online=False)
    assert rows(host, "?sort=status")[0] == str(away)[:8]
    wrong = Problem(code="machine_proof_wrong", message="A hashing task was not done.")
    signed = scene.Judge().verdict(
        Machine.objects.get(pk=bad), state=VerdictState.SUSPENDED, reasons=(wrong,)
    )
    record(signed=signed, now=scene.NOW)
    assert rows(host, "?sort=verdict")[0] == str(bad)[:8]


@pytest.mark.parametrize(
    "query", ["?sort=nonsense", "?after=nonsense", "?after=1.0", "?sort=' OR 1=1 --"]
)
def test_an_address_that_nobody_wrote_shows_the_first_page(
    host: Client, market: Market, query: str
) -> None:
    assert rows(host, query) == [short(market)]


def test_the_column_that_sorts_says_so_to_whoever_hears_it(host: Client, market: Market) -> None:
    page = host.get("/host/?sort=earned").content.decode()
    assert page.count("aria-sort=") == 1
    assert 'aria-sort="descending"' in page


def test_no_other_persons_machine_is_in_the_table_or_has_a_page_here(
    market: Market, bob: User, browser_of: Browser
) -> None:
    url = f"/host/machines/{market.machine.id}/"
    assert b"Put your machine to work" in browser_of(bob).get("/host/").content
    assert browser_of(bob).get(url).status_code == 404
    assert browser_of(bob).post(f"{url}price", {"price": "0.01"}).status_code == 404
    visitor = Client()
    assert visitor.get(url).headers["Location"].startswith("/accounts/login/")
    assert visitor.post(f"{url}price", {"price": "0.01"}).status_code == 302
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(
        market.machine.host, backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert guarded.post(f"{url}price", {"price": "0.01"}).status_code == 403
    assert Offer.objects.get().price_cpu_hour_microusd == 3_600_000


def test_a_host_reads_what_is_wrong_and_what_to_do(host: Client, market: Market) -> None:
    wrong = Problem(code="machine_proof_wrong", message="A hashing task was not done.")
    bad = Finding(
        code="gpu_count",
        state=FindingState.CONTRADICTION,
        message="NVML shows 8 GPUs.",
        remedy="Restart the machine.",
    )
    signed = scene.Judge().verdict(
        market.machine,
        state=VerdictState.DEGRADED,
        reasons=(wrong,),
        findings=(bad,),
        checked_at_ms=NOW_MS + 1,
        expires_at_ms=NOW_MS + 3_600_000,
    )
    record(signed=signed, now=scene.after(1))
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    section = page.partition('id="check-title"')[2].partition("</section>")[0]
    for words in ("A hashing task was not done.", "NVML shows 8 GPUs.", "Restart the machine."):
        assert words in section
    assert "berth-agent check" in section


def test_a_machine_of_which_nothing_is_wrong_says_so(host: Client, market: Market) -> None:
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    assert "Nothing is wrong" in page


def test_the_score_says_which_factor_takes_most(host: Client, market: Market) -> None:
    EpochScore.objects.create(
        validator=Validator.objects.get(),
        machine=market.machine,
        epoch=1,
        points_micro=1_250_000,
        factors_ppm={
            "capacity": 3_000_000,
            "uptime": 500_000,
            "use": 700_000,
            "refusal": 1_000_000,
        },
        signature="",
        received_at=scene.NOW,
    )
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    assert "Uptime takes most" in page
    assert "/scores/1/#how" in page


def test_of_a_market_of_few_no_number_is_shown(host: Client, market: Market) -> None:
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    assert "there is no market price to show" in page
    assert 'id="spreads"' not in page
    assert "Where your price stands" not in page


@pytest.mark.parametrize(
    ("price", "stands"),
    [
        ("0.10", "no dearer than the cheapest tenth"),
        ("0.25", "cheaper than half"),
        ("0.35", "dearer than half"),
        ("9", "dearer than nine of ten"),
    ],
)
def test_a_host_sees_where_a_price_would_stand_before_asking_it(
    host: Client, market: Market, price: str, stands: str
) -> None:
    KindPrice.objects.create(
        gpu_model="",
        vram_bytes=0,
        offers=12,
        hosts=6,
        offered_p10_microusd=100_000,
        offered_median_microusd=300_000,
        offered_p90_microusd=500_000,
        counted_at=scene.NOW,
    )
    url = f"/host/machines/{market.machine.id}/"
    page = host.get(url, {"price": price}).content.decode()
    for words in (stands, "Where your price stands", "12 offers of 6 hosts", "P10 $0.10"):
        assert words in page
    assert Offer.objects.get().price_cpu_hour_microusd == 3_600_000, "nothing was asked yet"


def test_a_price_is_set_and_every_other_term_stays(host: Client, market: Market) -> None:
    Offer.objects.update(bid_floor_microusd=5, maintenance_from=scene.after(9_000), private=True)
    Offer.objects.update(maintenance_until=scene.after(9_999), ends_at=scene.after(99_999))
    Guest.objects.create(offer=market.offer, email="alice@example.com")
    url = f"/host/machines/{market.machine.id}/price"
    page = host.post(url, {"price": "0.42"}, follow=True).content.decode()
    assert "The new price holds" in page
    offer = Offer.objects.get()
    assert (offer.price_cpu_hour_microusd, offer.price_hour_microusd) == (420_000, 420_000)
    assert (offer.bid_floor_microusd, offer.private, offer.guests.count()) == (5, True, 1)
    assert offer.maintenance_from == scene.after(9_000)
    assert offer.ends_at == scene.after(99_999)


@pytest.mark.parametrize("price", ["", "cheap", "0", "-1", "1001", "1e3", "<script>", "9" * 400])
def test_what_is_no_price_is_refused_in_words(host: Client, market: Market, price: str) -> None:
    url = f"/host/machines/{market.machine.id}/"
    assert host.get(url, {"price": price}).status_code == 200
    reply = host.post(f"{url}price", {"price": price}, follow=True)
    assert b"note-error" in reply.content
    assert Offer.objects.get().price_cpu_hour_microusd == 3_600_000


def test_a_maintenance_is_announced_moved_and_called_off_by_plain_forms(
    host: Client, market: Market
) -> None:
    url = f"/host/machines/{market.machine.id}/"
    window = {"begins_at": "2026-12-01T08:00", "ends_at": "2026-12-01T09:30"}
    page = host.post(f"{url}maintenance", window, follow=True).content.decode()
    for words in ("It is announced.", "1 Dec 2026, 08:00:00 UTC", "All of it would take 0.0021."):
        assert words in page
    # What the other forms save leaves it as it is.
    host.post(f"{url}terms", {"price_cpu_hour": "0.02", "listed": "on"})
    host.post(f"{url}price", {"price": "0.42"})
    assert f"{Offer.objects.get().maintenance_until:%Y-%m-%d %H:%M}" == "2026-12-01 09:30"
    late = {"ends_at": "2026-12-01T07:00"}
    for broken in (late, {"ends_at": ""}, {"begins_at": "soon"}, dict.fromkeys(window, "")):
        refused = host.post(f"{url}maintenance", window | broken, follow=True).content.decode()
        assert "note-error" in refused
        assert Offer.objects.get().maintenance_from is not None
    page = host.post(f"{url}maintenance", {"withdraw": "yes"}, follow=True).content.decode()
    assert "None is announced." in page
    assert Offer.objects.get().maintenance_from is None


def test_neither_bob_nor_a_visitor_announces_work_on_charlies_machine(
    market: Market, bob: User, browser_of: Browser
) -> None:
    url = f"/host/machines/{market.machine.id}/maintenance"
    window = {"begins_at": "2026-12-01T08:00", "ends_at": "2026-12-01T09:30"}
    assert browser_of(bob).post(url, window).status_code == 404
    assert Client().post(url, window).status_code == 302
    assert Client().get(url).status_code == 405
    assert Offer.objects.get().maintenance_from is None


def test_a_maintenance_that_is_over_is_announced_no_more(host: Client, market: Market) -> None:
    Offer.objects.update(
        maintenance_from=scene.after(-9_000), maintenance_until=scene.after(-8_000)
    )
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    assert "None is announced." in page
