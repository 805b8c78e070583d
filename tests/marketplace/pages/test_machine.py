"""Anyone sees what was measured of a machine; nobody sees terms that are not for them."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from xml.etree import ElementTree

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import User
from marketplace.machines.models import UptimeDay
from marketplace.offers.models import Guest, Offer
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import EpochScore, Validator
from protocol.agent import Problem
from protocol.validator import Measurement, VerdictState
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

Browser = Callable[[User], Client]
NOW_MS = int(scene.NOW.timestamp() * 1000)
FACTORS = {
    "capacity": 40_000_000,
    "efficiency": 1_050_000,
    "uptime": 500_000,
    "organic": 0,
    "use": 700_000,
    "refusal": 1_000_000,
}


def page_of(market: Market, browser: Client | None = None) -> str:
    reply = (browser or Client()).get(f"/machines/{market.machine.id}/")
    assert reply.status_code == 200
    return unescape(reply.content.decode())


def score(market: Market, *epochs: int) -> None:
    validator = Validator.objects.get()
    for epoch in epochs:
        EpochScore.objects.create(
            validator=validator,
            machine=market.machine,
            epoch=epoch,
            points_micro=epoch * 1_000_000,
            factors_ppm=FACTORS,
            signature="",
            received_at=scene.NOW,
        )


def pictures(page: str) -> dict[str, ElementTree.Element]:
    """Return the page's pictures by their titles; each is well formed and says what it shows."""
    found = {}
    for text in page.split("<svg viewBox")[1:]:
        svg = ElementTree.fromstring("<svg viewBox" + text.partition("</svg>")[0] + "</svg>")
        if svg.get("role") == "img":
            named = {each.get("id"): each for each in svg.iter()}
            title, words = (named[name] for name in svg.attrib["aria-labelledby"].split())
            assert words.text
            found[str(title.text)] = svg
    return found


def test_a_visitor_sees_measured_hardware_verdict_uptime_score_and_price(market: Market) -> None:
    score(market, 7, 9)
    Offer.objects.update(start_p50_ms=8_000, start_p95_ms=30_000, starts=19, starts_failed=1)
    Offer.objects.update(country="DE")
    fast = Measurement(
        cpus=4, cpu_hash_rate=8_000_000, memory_bytes_proven=6 * scene.GIB, disk_write_mb_s=900
    )
    signed = scene.Judge().verdict(market.machine, measurement=fast, checked_at_ms=NOW_MS + 1)
    record(signed=signed, now=scene.after(1))
    page = page_of(market)
    for words in (
        "4-CPU machine",
        "Verified",
        "6 GiB filled and read back",
        "writes 900 MB/s",
        "Germany (DE), its host says",
        "nobody checks it",
        "half of the rentals answered within 8.0 s, 95 % within 30 s; 19 of 20 came up",
        "epoch 9",
        "$3.60",
        f"/offers/{market.offer.id}/rent",
        f"/machines/{market.machine.id}/verification/",
    ):
        assert words in page
    assert market.machine.address not in page
    assert "charlie" not in page


def test_every_picture_has_words_and_a_table(market: Market) -> None:
    score(market, 7, 9)
    Offer.objects.update(start_p50_ms=8_000, start_p95_ms=30_000, starts=19)
    page = page_of(market)
    titles = (
        "Looks of validators",
        "Time there, day by day",
        "From order to SSH",
        "Factors of the score",
        "Points by epoch",
    )
    assert tuple(pictures(page)) == titles
    assert page.count("As a table") == len(titles)
    assert "Uptime takes most off." in page


def test_a_day_with_time_missing_is_shown_as_such(market: Market) -> None:
    yesterday = scene.NOW - timedelta(days=1)
    type(market.machine).objects.update(enrolled_at=scene.NOW - timedelta(days=3))
    UptimeDay.objects.create(machine=market.machine, day=yesterday.date(), up_ms=43_200_000)
    page = page_of(market)
    assert "28 Feb 2026: 50.00 %" in page
    assert "Of 4 days, 4 with some time missing." in page
    drawn = [each.get("class") for each in pictures(page)["Time there, day by day"]]
    assert drawn.count("shape-bad") == 4


def test_what_a_look_concluded_is_told_by_height_as_well_as_by_colour(market: Market) -> None:
    wrong = Problem(code="machine_proof_wrong", message="A hashing task was not done.")
    signed = scene.Judge().verdict(
        market.machine,
        state=VerdictState.SUSPENDED,
        reasons=(wrong,),
        checked_at_ms=NOW_MS + 1000,
        expires_at_ms=NOW_MS + 3_600_000,
    )
    record(signed=signed, now=scene.after(1))
    drawn = pictures(page_of(market))["Looks of validators"]
    heights = {
        each.get("class"): each.get("height") for each in drawn if each.get("class") is not None
    }
    assert heights["shape-good"] != heights["shape-bad"]


def test_a_new_machine_says_what_is_not_known_yet(charlie: User) -> None:
    market = Market.open(charlie, verified=False)
    page = page_of(market)
    for words in ("No validator looked at it", "No rental began here", "No validator scored it"):
        assert words in page


def test_private_terms_are_for_guests_and_the_host_alone(
    market: Market, alice: User, bob: User, charlie: User, browser_of: Browser
) -> None:
    Offer.objects.update(private=True)
    Guest.objects.create(offer=market.offer, email=alice.email)
    prove(user=alice)
    for browser in (Client(), browser_of(bob)):
        page = page_of(market, browser)
        assert "It is not for rent now." in page
        assert "$3.60" not in page
        assert str(market.offer.id) not in page
    for browser in (browser_of(alice), browser_of(charlie)):
        assert "$3.60" in page_of(market, browser)


def test_what_is_off_the_market_has_no_price(market: Market) -> None:
    Offer.objects.update(listed=False)
    page = page_of(market)
    assert "It is not for rent now." in page
    assert "$3.60" not in page


def test_what_a_machine_says_is_shown_as_text(market: Market) -> None:
    type(market.machine).objects.update(cpu_model="<script>alert(1)</script>")
    reply = Client().get(f"/machines/{market.machine.id}/")
    assert b"<script>alert" not in reply.content


def test_the_page_takes_the_same_queries_however_many_looks(
    market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    score(market, 7, 8, 9)
    for second in range(1, 5):
        signed = scene.Judge().verdict(market.machine, checked_at_ms=NOW_MS + second)
        record(signed=signed, now=scene.after(second))
    with django_assert_num_queries(13):
        page_of(market)


def test_there_is_no_page_of_no_machine(db: None) -> None:
    path = "/machines/00000000-0000-0000-0000-000000000000/"
    assert Client().get(path).status_code == 404
    assert Client().get("/api/v1" + path.rstrip("/")).json()["code"] == "not_found"


def test_the_same_is_told_as_json_to_whoever_may_see_it(
    market: Market, bob: User, charlie: User
) -> None:
    score(market, 7, 9)
    path = f"/api/v1/machines/{market.machine.id}"
    told = Client().get(path).json()
    assert told["state"] == "verified"
    assert told["score"] == {"epoch": 9, "points_micro": 9_000_000, "factors_ppm": FACTORS}
    assert [one["epoch"] for one in told["scores"]] == [7, 9]
    assert len(told["days"]) == 30
    assert [one["state"] for one in told["looks"]] == ["verified"]
    assert told["hash_rate_per_cpu"] == 2_000_000
    assert told["offer"]["price_hour_microusd"] == 3_600_000
    assert "address" not in told
    Offer.objects.update(private=True)
    assert Client().get(path).json()["offer"] is None
    for user, sees in ((bob, False), (charlie, True)):
        key = issue(user_id=user.pk, name="script", now=scene.NOW).secret
        seen = Client().get(path, headers={"Authorization": f"Bearer {key}"}).json()
        assert (seen["offer"] is not None) is sees
